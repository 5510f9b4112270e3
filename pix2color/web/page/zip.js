// ZIP files without compression: photos are compressed already.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let i = 0; i < 8; i++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

/** Return a ZIP archive of files [{name, blob}] as a Blob. */
export async function zip(files) {
  const parts = [], directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const label = new TextEncoder().encode(name);
    const sum = checksum(new Uint8Array(await blob.arrayBuffer()));
    const entry = header(label, sum, blob.size);
    parts.push(entry, label, blob);
    directory.push(centralHeader(entry, offset), label);
    offset += entry.byteLength + label.length + blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  return new Blob([...parts, ...directory, end(files.length, size, offset)], { type: "application/zip" });
}

/** Return a name like `name` that is not among those taken, and take it. */
export function freeName(name, taken) {
  const dot = name.lastIndexOf("."), stem = dot > 0 ? name.slice(0, dot) : name;
  let found = name;
  for (let n = 2; taken.has(found.toLowerCase()); n++) found = `${stem} (${n})${name.slice(stem.length)}`;
  taken.add(found.toLowerCase()); // to some systems A.jpg is a.jpg
  return found;
}

function checksum(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

function header(label, sum, size) {
  const view = new DataView(new ArrayBuffer(30));
  view.setUint32(0, 0x04034b50, true);
  view.setUint16(4, 20, true);
  view.setUint16(6, 0x0800, true); // names are UTF-8
  view.setUint32(10, 0x00210000, true); // 1980-01-01: the time does not count
  view.setUint32(14, sum, true);
  view.setUint32(18, size, true);
  view.setUint32(22, size, true);
  view.setUint16(26, label.length, true);
  return new Uint8Array(view.buffer);
}

function centralHeader(entry, offset) {
  const bytes = new Uint8Array(46), view = new DataView(bytes.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, 20, true);
  bytes.set(entry.subarray(4, 30), 6); // the same fields, in the same order
  view.setUint32(42, offset, true);
  return bytes;
}

function end(count, size, offset) {
  const view = new DataView(new ArrayBuffer(22));
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, size, true);
  view.setUint32(16, offset, true);
  return new Uint8Array(view.buffer);
}
