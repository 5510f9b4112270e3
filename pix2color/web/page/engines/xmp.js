/** XMP packets, with a note that software made the colours; as in pix2color/imaging/metadata.py. */

const SOURCE_TYPE =
  "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const TOOL = "pix2color (colours added by software)";
const EMPTY = `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`;
const END = "</rdf:RDF>";

/** Return a packet, or a new one, with the note in place of its own source type; all as bytes. */
export function markedXmp(data) {
  const found = data ? new TextDecoder().decode(data).replace(/[\0 ]+$/, "") : "";
  const packet = (found.includes(END) ? found : EMPTY)
    .replace(/<(\w+:DigitalSourceType)\b[^>]*?(\/>|>[^]*?<\/\1\s*>)/g, "")
    .replace(/\s\w+:DigitalSourceType\s*=\s*("[^"]*"|'[^']*')/g, "");
  const about = /rdf:about\s*=\s*("[^"<]*"|'[^'<]*')/.exec(packet)?.[1] ?? '""';
  const tool = packet.includes("CreatorTool")
    ? ""
    : `\n   <xmp:CreatorTool>${TOOL}</xmp:CreatorTool>`;
  const note = `<rdf:Description rdf:about=${about}
   xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
   xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <Iptc4xmpExt:DigitalSourceType>${SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>${tool}
  </rdf:Description>
 `;
  const at = packet.lastIndexOf(END);
  return new TextEncoder().encode(packet.slice(0, at) + note + packet.slice(at));
}
