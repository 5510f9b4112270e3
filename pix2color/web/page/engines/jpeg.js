/** The metadata of JPEG files, which canvases do not write. */

import { ascii, holds, joined, uint16 } from "./bytes.js";

const APP0 = 0xe0;
const APP1 = 0xe1;
const APP13 = 0xed;
const COMMENT = 0xfe;
const SCAN = 0xda;
const LONGEST = 65_000; // bytes that a segment can hold, nearly
const JFIF = "JFIF\0";
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const DENSITY = 7; // where a JFIF segment's five bytes of resolution begin

/** Return whether these are the bytes of a JPEG file. */
export function isJpeg(bytes) {
  return bytes[0] === 0xff && bytes[1] === 0xd8;
}

/** Yield the segments before the picture: {marker, at, end, data}. */
function* segments(bytes) {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++; // a fill byte
      continue;
    }
    const end = at + 2 + uint16(bytes, at + 2);
    if (marker === SCAN || end > bytes.length) return;
    yield { marker, at, end, data: bytes.subarray(at + 4, end) };
    at = end;
  }
}

/** Return the width and height that a file declares; 0 if it does not say. */
export function jpegSize(bytes) {
  for (const { marker, data } of segments(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: uint16(data, 3), height: uint16(data, 1) };
  }
  return { width: 0, height: 0 };
}

/** Return the metadata of a file, as bytes: exif, xmp, iptc, comment, density. */
export function jpegMetadata(bytes) {
  const found = {};
  for (const { marker, data } of segments(bytes)) {
    if (marker === APP0 && holds(data, JFIF)) found.density ??= data.slice(DENSITY, DENSITY + 5);
    if (marker === APP1 && holds(data, EXIF)) found.exif ??= data.slice(EXIF.length);
    if (marker === APP1 && holds(data, XMP)) found.xmp ??= data.slice(XMP.length);
    if (marker === APP13) found.iptc ??= data.slice();
    if (marker === COMMENT) found.comment ??= data.slice();
  }
  return found;
}

/** Return a file with metadata in place of its own. */
export function withJpegMetadata(bytes, { exif, xmp, iptc, comment, density }) {
  const head = [bytes.slice(0, 2)];
  let start = 2;
  for (const { marker, at, end, data } of segments(bytes)) {
    if (marker !== APP0) break;
    const segment = bytes.slice(at, end);
    if (density?.length === 5 && holds(data, JFIF)) segment.set(density, 4 + DENSITY);
    head.push(segment);
    start = end;
  }
  const added = [
    exif && segment(APP1, joined(ascii(EXIF), exif)),
    xmp && segment(APP1, joined(ascii(XMP), xmp)),
    iptc && segment(APP13, iptc),
    comment && segment(COMMENT, comment),
  ];
  return joined(...head, ...added.filter(Boolean), bytes.subarray(start));
}

/** Return a segment; null where one cannot hold so much. */
function segment(marker, data) {
  if (data.length > LONGEST) return null;
  const length = data.length + 2;
  return joined(Uint8Array.of(0xff, marker, length >> 8, length), data);
}
