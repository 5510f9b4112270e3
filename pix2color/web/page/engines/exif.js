/** EXIF data (a TIFF structure) of a photo that has been turned upright. */

const ORIENTATION = 0x0112;
const ENTRY_BYTES = 12;

/**
 * Return a copy that says that the photo is upright, and that no longer points to a thumbnail of
 * the gray photo; null if the data is damaged.
 */
export function uprightExif(data) {
  const copy = data.slice();
  try {
    const view = new DataView(copy.buffer);
    const little = view.getUint16(0) === 0x4949;
    const directory = view.getUint32(4, little);
    const count = view.getUint16(directory, little);
    for (let i = 0; i < count; i++) {
      const entry = directory + 2 + i * ENTRY_BYTES;
      if (view.getUint16(entry, little) === ORIENTATION) view.setUint16(entry + 8, 1, little);
    }
    view.setUint32(directory + 2 + count * ENTRY_BYTES, 0, little);
  } catch {
    return null;
  }
  return copy;
}
