/** Predicted colour, joined to a photo's luminance; explained in pix2color/color/recompose.py. */

import { AB_SCALE, L_HALF_RANGE, LIGHTNESS, labToRgb } from "./lab.js";
import { BILINEAR, resampled, rounded } from "./resize.js";

const TO_BLUE = 0.1181; // how Y' moves with Cb and Cr
const TO_RED = 0.2126;
const OFFSET = 12;
const ROOT_STEPS = 2;
const ROOT_SCALE = Math.SQRT2 / (256 * ROOT_STEPS);
const ROUNDED = 256.5 - 128 * (TO_BLUE + TO_RED);
const DARKEST = 60;
const LIGHTEST = 212;
const ONE = 4096;
const TO_BYTE = 4;
const STEEPEST = 16;
const LARGE = 12; // photo pixels to a pixel of the maps from which on cells are 4 × 4

/**
 * Return the chroma maps of a photo: five pictures of 8 bits (Cb, Cr, the slopes of the factor
 * below white and above black, and √q).
 *
 * `gray` is what the network has seen, at the size of `ab` (two planes, in units of 110).
 */
export function chromaMaps({ data: gray, width, height }, ab) {
  const size = width * height;
  const maps = Array.from({ length: 5 }, () => new Uint8ClampedArray(size));
  const rgb = new Float64Array(3);
  for (let i = 0; i < size; i++) {
    const level = Math.min(LIGHTEST, Math.max(DARKEST, gray[i]));
    const L = (LIGHTNESS[level] + 1) * L_HALF_RANGE;
    labToRgb(L, ab[i] * AB_SCALE, ab[size + i] * AB_SCALE, rgb);
    const [red, green, blue] = rgb;
    const y = 0.299 * red + 0.587 * green + 0.114 * blue;
    const cb = (blue - y) / 1.772;
    const cr = (red - y) / 1.402;
    const moved = TO_BLUE * cb + TO_RED * cr;
    const curved = Math.max(0, (level + moved - y) * (level + OFFSET));
    const lightest = grayAt(255 - (Math.max(red, green, blue) - y) - moved, curved);
    const darkest = grayAt(-(Math.min(red, green, blue) - y) - moved, curved);
    maps[0][i] = rounded(cb + 128);
    maps[1][i] = rounded(cr + 128);
    maps[2][i] = rounded(ONE / Math.max(STEEPEST, 255 - lightest) - 0.5);
    maps[3][i] = rounded(ONE / Math.max(STEEPEST, darkest) - 0.5);
    maps[4][i] = rounded(ROOT_STEPS * Math.sqrt(curved));
  }
  return maps.map((data) => ({ data, width, height }));
}

/** Return the gray that solves gray − curved / (gray + OFFSET) = level. */
function grayAt(level, curved) {
  const half = (level + OFFSET) / 2;
  return half + Math.sqrt(half * half + curved) - OFFSET;
}

/** A photo (gray, of any size) joined to its chroma maps, of which rows can be had. */
export class Recomposed {
  constructor(photo, maps) {
    const { width, height } = photo;
    this.photo = photo;
    this.cell =
      Math.min(width, height) >= LARGE * Math.min(maps[0].width, maps[0].height) ? 4 : 2;
    this.columns = Math.ceil(width / this.cell);
    const rows = Math.ceil(height / this.cell);
    this.maps = maps.map((map) => resampled(map, this.columns, rows, BILINEAR).data);
  }

  /** Write rows from `top`, a multiple of 4, as RGBA to `out`; alpha is left as it is. */
  write(top, rows, out) {
    const { cell, columns } = this;
    const bottom = Math.min(top + rows, this.photo.height);
    for (let y = top; y < bottom; y += cell) {
      for (let column = 0; column < columns; column++) this.#writeCell(y, column, top, bottom, out);
    }
  }

  #writeCell(y, column, top, bottom, out) {
    const { cell, photo } = this;
    const { data, width } = photo;
    const left = column * cell;
    const right = Math.min(width, left + cell);
    const lower = Math.min(bottom, y + cell);
    let dark = 255;
    let light = 0;
    for (let row = y; row < lower; row++) {
      for (let x = left; x < right; x++) {
        const gray = data[row * width + x];
        if (gray < dark) dark = gray;
        if (gray > light) light = gray;
      }
    }
    const { move, blue, red } = this.#colorOf((y / cell) * this.columns + column, dark, light);
    const toRed = Math.round(1.402 * red);
    const toGreen = Math.round(-0.344136 * blue - 0.714136 * red);
    const toBlue = Math.round(1.772 * blue);
    for (let row = y; row < lower; row++) {
      for (let x = left, at = ((row - top) * width + left) * 4; x < right; x++, at += 4) {
        const luma = data[row * width + x] + move;
        out[at] = luma + toRed;
        out[at + 1] = luma + toGreen;
        out[at + 2] = luma + toBlue;
      }
    }
  }

  /** Return the chroma of a cell, 0 for none, and the move of its Y'. */
  #colorOf(place, dark, light) {
    const [cb, cr, belowWhite, aboveBlack, roots] = this.maps;
    const nearest = Math.min((255 - light) * belowWhite[place], dark * aboveBlack[place], ONE);
    const factor = nearest >> TO_BYTE;
    const rest = (257 - factor) << 7;
    const blue = (cb[place] * factor + rest) >> 8;
    const red = (cr[place] * factor + rest) >> 8;
    const root = factor * roots[place] * ROOT_SCALE;
    const shift = TO_BLUE * blue + TO_RED * red - (root * root) / (dark + light + 2 * OFFSET);
    const moved = Math.trunc(shift + ROUNDED);
    const move = Math.min(511 - light, Math.max(256 - dark, moved)) - 256;
    return { move, blue: blue - 128, red: red - 128 };
  }
}
