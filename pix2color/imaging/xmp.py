"""XMP: a note that software made the colours, and nothing in it that is not true any more."""

from __future__ import annotations

import re

# https://cv.iptc.org/newscodes/digitalsourcetype: "edited using generative AI".
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

# What XMP says that the note replaces, or that is not true any more: the picture is upright, and
# what lay behind it in the file (a gain map, a film, more XMP) is gone.
_UNTRUE = (
    r"(?:\w{1,99}:(?:DigitalSourceType|Orientation|ImageWidth|ImageLength|PixelXDimension"
    r"|PixelYDimension|HasExtendedXMP)|(?:GCamera|hdrgm):\w{1,99}|Container:Directory)"
)

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
_NOTE = """<rdf:Description rdf:about={about}
   xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
   xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>{tool}
  </rdf:Description>
 """


def with_note(xmp: bytes, software: str) -> bytes:
    """Return an XMP packet, or a new one, with the note and without what is not true.

    Args:
        xmp: the packet, or nothing.
        software: that has made the colours.
    """
    packet = xmp.rstrip(b"\x00 ").decode("utf-8", "replace")
    if "</rdf:RDF>" not in packet:
        packet = _PACKET
    packet = _without_elements(packet)
    # Bounded, or many that never end take the square of their time.
    packet = re.sub(rf"\s{_UNTRUE}\s?=\s?(\"[^\"]{{0,999}}\"|'[^']{{0,999}}')", "", packet)
    about = re.search(r"rdf:about\s?=\s?(\"[^\"<]{0,999}\"|'[^'<]{0,999}')", packet)
    tool = "" if "CreatorTool" in packet else f"\n   <xmp:CreatorTool>{software}</xmp:CreatorTool>"
    note = _NOTE.format(about=about[1] if about else '""', source=SOURCE_TYPE, tool=tool)
    head, end, tail = packet.rpartition("</rdf:RDF>")
    return (head + note + end + tail).encode()


def _without_elements(packet: str) -> str:
    """Return an XMP packet without elements that are not true."""
    kept, at = [], 0
    for tag in re.finditer(rf"<({_UNTRUE})\b[^<>]*>", packet):
        if tag.start() < at:  # within one that was left out
            continue
        end = tag.end()
        if not tag[0].endswith("/>"):
            end = packet.find(">", packet.find(f"</{tag[1]}", end)) + 1
            if end <= tag.end():  # it never ends: this is no XML
                break
        kept.append(packet[at : tag.start()])
        at = end
    return "".join(kept) + packet[at:]
