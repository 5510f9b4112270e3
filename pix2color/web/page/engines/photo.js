/** Photo files, decoded by the browser to upright gray pictures. */

import { statisticsOfRgb } from "./adjust.js";
import { declared } from "./files.js";
import { luminanceTables } from "./lab.js";
import { BOX, reduced } from "./resize.js";
import { Thumbnail } from "./thumbnail.js";
import { UserError } from "./user-error.js";

/** The most pixels that a photo may have. */
export const MOST_PIXELS = 50_000_000;
const STRIP = 256; // rows that are worked on at once
const LIKE_SIDE = 256;
const PROBE = "#123456";
const { weights, gray: GRAY } = luminanceTables();

/** Check that the browser shows pixels as they are: some give noise, to hide which one they are. */
export function checkPixels() {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context.fillStyle = PROBE;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  if (Math.max(Math.abs(red - 18), Math.abs(green - 52), Math.abs(blue - 86)) > 3) {
    throw new UserError(
      "This browser hides pixels from pages, to protect from tracking; allow it for this page.",
    );
  }
}

/**
 * Return a photo: {gray: {data, width, height}, alpha: bytes or null, hasColor, colors, notes,
 * bitmap}. A toned one has colors that others can take over, and is not in color.
 *
 * The bitmap is the caller's to close.
 */
export async function read(file) {
  const { bitmap, notes } = await opened(file);
  const { width, height } = bitmap;
  const data = new Uint8Array(width * height);
  const alpha = new Uint8Array(width * height);
  const thumbnail = new Thumbnail(width, height);
  let clear = false;
  forStrips(bitmap, (rgba, top) => {
    const at = top * width;
    clear = toGray(rgba, data.subarray(at), alpha.subarray(at)) || clear;
    thumbnail.add(rgba, top);
  });
  const gray = { data, width, height };
  const hasColor = thumbnail.hasColor();
  const colors = statisticsOfRgb(thumbnail.rgb()) !== null; // of a toned photo, too
  return { gray, alpha: clear ? alpha : null, hasColor, colors, notes, bitmap };
}

/** Return red, green and blue of a photo's thumbnail, 256 pixels long at most. */
export async function readThumbnail(file) {
  const { bitmap } = await opened(file);
  const { width, height } = bitmap;
  const planes = [0, 1, 2].map(() => new Uint8Array(width * height));
  forStrips(bitmap, (rgba, top) => {
    for (let i = 0, at = top * width; i < rgba.length; i += 4, at++) {
      const ground = 255 - rgba[i + 3]; // transparency is laid on white
      for (let c = 0; c < 3; c++) {
        planes[c][at] = ground ? (rgba[i + c] * rgba[i + 3]) / 255 + ground : rgba[i + c];
      }
    }
  });
  bitmap.close();
  const scale = Math.min(1, LIKE_SIDE / Math.max(width, height));
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  return planes.map((data) => reduced({ data, width, height }, wide, high, BOX).data);
}

/** Return a bitmap with the file's picture, upright, and notes on what the browser left out. */
async function opened(file) {
  const said = declared(new Uint8Array(await file.slice(0, 2 ** 20).arrayBuffer()));
  checkSize(said.width * said.height);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new UserError("This file is not a picture that this browser can open.");
  }
  checkSize(bitmap.width * bitmap.height);
  return { bitmap, notes: said.deep ? ["read with 8 of its 16 bits a pixel"] : [] };
}

function checkSize(pixels) {
  if (pixels > MOST_PIXELS) {
    const found = Math.round(pixels / 1e6);
    throw new UserError(
      `This photo has ${found} megapixels; the browser colours up to ${MOST_PIXELS / 1e6}.`,
    );
  }
}

/** Call `use` with the pixels (RGBA) of some rows after others, and the first row's number. */
function forStrips(bitmap, use) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, Math.min(STRIP, height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, top, width, rows, 0, 0, width, rows);
    use(context.getImageData(0, 0, width, rows).data, top);
  }
}

/** Write gray of the same luminance, and alpha; return whether anything is transparent. */
function toGray(rgba, gray, alpha) {
  const [fromRed, fromGreen, fromBlue] = weights;
  let opaque = 255;
  for (let i = 0, at = 0; i < rgba.length; i += 4, at++) {
    gray[at] = GRAY[fromRed[rgba[i]] + fromGreen[rgba[i + 1]] + fromBlue[rgba[i + 2]]];
    alpha[at] = rgba[i + 3];
    opaque &= rgba[i + 3];
  }
  return opaque !== 255;
}
