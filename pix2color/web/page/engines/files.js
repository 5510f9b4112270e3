/** What files say of themselves, and what of it goes with their colour versions. */

import { uprightExif } from "./exif.js";
import { isJpeg, jpegMetadata, jpegSize, withJpegMetadata } from "./jpeg.js";
import { isPng, pngMetadata, pngSize, withPngMetadata } from "./png.js";
import { markedXmp } from "./xmp.js";

/** Return the size that the beginning of a file declares (0 if it is of no kind known here). */
export function declared(bytes) {
  if (isJpeg(bytes)) return jpegSize(bytes);
  if (isPng(bytes)) {
    const { width, height, bits } = pngSize(bytes);
    return { width, height, deep: bits > 8 };
  }
  return { width: 0, height: 0 };
}

/** Return the kind (MIME type) of a file's colour version. */
export function resultKind(bytes) {
  return isPng(bytes) ? "image/png" : "image/jpeg";
}

/** Return a colour version's file with the metadata of the photo's, marked as made by software. */
export function withMetadata(colored, original) {
  const found = metadataOf(original);
  const metadata = {
    ...found,
    exif: found.exif && uprightExif(found.exif),
    xmp: markedXmp(found.xmp),
  };
  return isPng(colored) ? withPngMetadata(colored, metadata) : withJpegMetadata(colored, metadata);
}

function metadataOf(bytes) {
  if (isJpeg(bytes)) return jpegMetadata(bytes);
  return isPng(bytes) ? pngMetadata(bytes) : {};
}
