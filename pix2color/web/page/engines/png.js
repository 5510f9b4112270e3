/** The metadata of PNG files, which canvases do not write. */

import { ascii, asUint32, holds, joined, uint32 } from "./bytes.js";

const SIGNATURE = "\x89PNG\r\n\x1a\n";
const XMP = "XML:com.adobe.xmp\0";
const HEADER_END = 33; // of the signature and the first chunk
const CRC = crcTable();

/** Return whether these are the bytes of a PNG file. */
export function isPng(bytes) {
  return holds(bytes, SIGNATURE);
}

/** Yield the chunks of a file: {type, data}. */
function* chunks(bytes) {
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const end = at + 8 + uint32(bytes, at);
    if (end + 4 > bytes.length) return;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { type, data: bytes.subarray(at + 8, end) };
    at = end + 4;
  }
}

/** Return the width, the height and the bits a channel that a file declares. */
export function pngSize(bytes) {
  return { width: uint32(bytes, 16), height: uint32(bytes, 20), bits: bytes[24] };
}

/** Return the metadata of a file, as bytes: exif, xmp, density. */
export function pngMetadata(bytes) {
  const found = {};
  for (const { type, data } of chunks(bytes)) {
    if (type === "eXIf") found.exif ??= data.slice();
    if (type === "pHYs") found.density ??= data.slice();
    if (type === "iTXt" && holds(data, XMP)) found.xmp ??= textOf(data);
  }
  return found;
}

/** Return the text of a chunk that is not compressed: behind two flags and two empty names. */
function textOf(data) {
  if (data[XMP.length] !== 0) return undefined;
  const language = data.indexOf(0, XMP.length + 2);
  const translated = data.indexOf(0, language + 1);
  return language < 0 || translated < 0 ? undefined : data.slice(translated + 1);
}

/** Return a file with metadata added. */
export function withPngMetadata(bytes, { exif, xmp, density }) {
  const added = [
    density && chunk("pHYs", density),
    exif && chunk("eXIf", exif),
    xmp && chunk("iTXt", joined(ascii(`${XMP}\0\0\0\0`), xmp)),
  ];
  const [head, rest] = [bytes.subarray(0, HEADER_END), bytes.subarray(HEADER_END)];
  return joined(head, ...added.filter(Boolean), rest);
}

function chunk(type, data) {
  const body = joined(ascii(type), data);
  return joined(asUint32(data.length), body, asUint32(crc(body)));
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

function crcTable() {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
}
