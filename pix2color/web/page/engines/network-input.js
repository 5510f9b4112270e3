/** What the network looks at; as in network_input.py, network.py and hints.py of the package. */

import { AB_SCALE, LIGHTNESS, rgbToLab } from "./lab.js";
import { quantile } from "./quantile.js";
import { BICUBIC, reduced, rounded } from "./resize.js";
import { UserError } from "./user-error.js";

const MULTIPLE = 16; // sides are multiples of it
const MIN_SIDE = 64;
const MAX_PIXELS = 2_000_000; // that the network is shown, of long strips
const FADED = [30, 226]; // gray levels
const FRESH = [17, 241];
const MIN_CONTRAST = 40;
const SQUARE = 3; // pixels that a hint covers

/** Return a gray photo reduced or enlarged until its short side is `renderSize`. */
export function reducedPhoto(gray, renderSize) {
  const { width, height } = gray;
  const affordable = Math.sqrt(MAX_PIXELS / (width * height));
  const longest = MAX_PIXELS / MIN_SIDE / Math.max(width, height); // strips are padded to that side
  const scale = Math.min(renderSize / Math.min(width, height), affordable, longest);
  const [wide, high] = [width, height].map((side) => Math.max(1, rounded(side * scale)));
  return reduced(gray, wide, high, BICUBIC);
}

/** Return the tensors L and hints as {L, hints, width, height}, padded as the network wants it. */
export function networkInputs(picture, photo, hints) {
  const [width, height] = [padded(picture.width), padded(picture.height)];
  const levels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = Math.min(y, picture.height - 1) * picture.width;
    levels.set(picture.data.subarray(from, from + picture.width), y * width);
    levels.fill(picture.data[from + picture.width - 1], y * width + picture.width, (y + 1) * width);
  }
  const fresh = contrastTable(levels);
  const L = Float32Array.from(levels, (level) => LIGHTNESS[fresh[level]]);
  return { L, hints: painted(hints, photo, picture, width, height), width, height };
}

/** Return a table that gives a faded picture the contrast of a fresh one, and others their own. */
function contrastTable(levels) {
  const sorted = Uint8Array.from(levels).sort();
  const [black, white] = [0.005, 0.995].map((share) => quantile(sorted, share));
  if (black < FADED[0] || white > FADED[1]) return Uint8Array.from({ length: 256 }, (_, i) => i);
  const contrast = Math.max(white - black, MIN_CONTRAST);
  return Uint8Array.from({ length: 256 }, (_, level) => {
    const moved = FRESH[0] + (FRESH[1] - FRESH[0]) * ((level - black) / contrast);
    return rounded(Math.min(255, Math.max(0, moved)));
  });
}

/** Return hints as three planes: a and b where there is one, and a mask. */
function painted(hints, photo, picture, width, height) {
  const size = width * height;
  const planes = new Float32Array(3 * size);
  for (const hint of hints) {
    const [, a, b] = rgbToLab(...channelsOf(hint.color));
    checkInside(hint, photo);
    const top = start(hint.y / photo.height, picture.height);
    const left = start(hint.x / photo.width, picture.width);
    for (let y = top; y < Math.min(picture.height, top + SQUARE); y++) {
      for (let x = left; x < Math.min(picture.width, left + SQUARE); x++) {
        const values = [a / AB_SCALE, b / AB_SCALE, 1];
        values.forEach((value, plane) => (planes[plane * size + y * width + x] = value));
      }
    }
  }
  return planes;
}

function checkInside({ x, y }, photo) {
  if (!(x >= 0 && x < photo.width && y >= 0 && y < photo.height)) {
    throw new UserError(`A hint at ${x}, ${y} lies outside of the photo.`);
  }
}

function channelsOf(color) {
  const found = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  if (!found) throw new UserError(`“${color}” is no colour.`);
  return found.slice(1).map((digits) => parseInt(digits, 16));
}

function start(share, side) {
  return Math.max(0, Math.min(Math.trunc(share * side) - (SQUARE >> 1), side - SQUARE));
}

/** Return the means of 2 × 2 of the picture in the upper left corner of planes, edges repeated. */
export function halved(planes, count, stride, { width, height }) {
  const [wide, high] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const rows = planes.length / count / stride;
  const out = new Float32Array(count * wide * high);
  for (let plane = 0, at = 0; plane < count; plane++) {
    for (let y = 0; y < high; y++) {
      const upper = (plane * rows + 2 * y) * stride;
      const lower = 2 * y + 1 < rows ? upper + stride : upper;
      for (let x = 0; x < wide; x++, at++) {
        const [left, right] = [2 * x, Math.min(2 * x + 1, stride - 1)];
        const above = planes[upper + left] + planes[upper + right];
        out[at] = (above + planes[lower + left] + planes[lower + right]) / 4;
      }
    }
  }
  return out;
}

function padded(side) {
  return Math.max(MIN_SIDE, Math.ceil(side / MULTIPLE) * MULTIPLE);
}
