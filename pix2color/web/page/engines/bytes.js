/** Small helpers for the bytes of files. */

/** Return arrays of bytes joined to one. */
export function joined(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Return the bytes of a text of ASCII. */
export function ascii(text) {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Return whether `bytes` hold a text of ASCII at a place. */
export function holds(bytes, text, at = 0) {
  return bytes.length >= at + text.length && ascii(text).every((code, i) => bytes[at + i] === code);
}

/** Return a number of 16 bits, the upper byte first. */
export function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Return a number of 32 bits, the upper byte first. */
export function uint32(bytes, at) {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | uint16(bytes, at + 2)) >>> 0;
}

/** Return the four bytes of a number. */
export function asUint32(value) {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
