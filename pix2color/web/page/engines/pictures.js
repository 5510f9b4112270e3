/** Pictures, encoded by the browser. */

import { UserError } from "./user-error.js";

const STRIP = 256; // rows that are worked on at once, a multiple of 4
const QUALITY = 0.92;

/** Return a file of a gray picture, in colour if it comes `recomposed`, with alpha if there is. */
export async function encoded({ data, width, height }, recomposed, kind, alpha = null) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    const strip = new ImageData(width, rows);
    const pixels = strip.data;
    new Uint32Array(pixels.buffer).fill(0xffffffff);
    if (recomposed) recomposed.write(top, rows, pixels);
    else writeGray(data.subarray(top * width), pixels);
    if (alpha) writeAlpha(alpha.subarray(top * width), pixels, kind);
    context.putImageData(strip, 0, top);
  }
  return fileOf(canvas, kind);
}

/** Return a file of a bitmap, reduced to a size. */
export async function encodedBitmap(bitmap, { width, height }, kind) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return fileOf(canvas, kind);
}

async function fileOf(canvas, kind) {
  try {
    return await canvas.convertToBlob({ type: kind, quality: QUALITY });
  } catch {
    throw new UserError("This photo is too large for this browser to write.");
  }
}

function writeGray(gray, pixels) {
  for (let i = 0, at = 0; i < pixels.length; i += 4, at++) {
    pixels[i] = pixels[i + 1] = pixels[i + 2] = gray[at];
  }
}

/** Make pixels transparent, or lay them on white where the kind of file knows no transparency. */
function writeAlpha(alpha, pixels, kind) {
  const keep = kind === "image/png";
  for (let i = 0, at = 0; i < pixels.length; i += 4, at++) {
    const share = alpha[at];
    if (keep) {
      pixels[i + 3] = share;
    } else if (share < 255) {
      for (let c = i; c < i + 3; c++) pixels[c] = (pixels[c] * share) / 255 + 255 - share;
    }
  }
}
