/** Whether a photo has colour, by the mean colours of its places. */

import { colorMeasure, countsAsColor } from "./color-measure.js";

const SIDE = 160; // places that are looked at
const BLOCK = 16; // pixels that share their chroma in a JPEG

/** The mean colours of the places of a photo, to which rows are added. */
export class Thumbnail {
  constructor(width, height) {
    this.width = Math.min(SIDE, width);
    this.height = Math.min(SIDE, height);
    this.photo = { width, height };
    this.sums = new Float64Array(5 * this.width * this.height); // red, green, blue, alpha, number
  }

  /** Add rows of RGBA from the photo's row `top` on. */
  add(rgba, top) {
    const { width, height } = this.photo;
    const rows = rgba.length / 4 / width;
    for (let row = 0; row < rows; row++) {
      const line = Math.floor(((top + row) * this.height) / height) * this.width;
      for (let cell = 0; cell < this.width; cell++) {
        const start = Math.ceil((cell * width) / this.width);
        const end = Math.ceil(((cell + 1) * width) / this.width);
        this.#addRun(rgba, 4 * (row * width + start), 4 * (row * width + end), 5 * (line + cell));
      }
    }
  }

  #addRun(rgba, start, end, at) {
    let [red, green, blue, alpha] = [0, 0, 0, 0];
    for (let i = start; i < end; i += 4) {
      red += rgba[i];
      green += rgba[i + 1];
      blue += rgba[i + 2];
      alpha += rgba[i + 3];
    }
    this.sums[at] += red;
    this.sums[at + 1] += green;
    this.sums[at + 2] += blue;
    this.sums[at + 3] += alpha;
    this.sums[at + 4] += (end - start) / 4;
  }

  /** Return red, green and blue of its places, 8 bits each. */
  rgb() {
    const { sums } = this;
    const places = Array.from({ length: this.width * this.height }, (_, i) => 5 * i);
    return [0, 1, 2].map((c) => places.map((at) => Math.round(sums[at + c] / (sums[at + 4] || 1))));
  }

  /** Return whether it is in colour, and not black-and-white, toned or faded. */
  hasColor() {
    return countsAsColor(this.measure());
  }

  /** Return how much colour there is; see `colorMeasure`. */
  measure() {
    const { width, height, sums } = this;
    const planes = [0, 1, 2, 3].map(() => new Float64Array(width * height));
    for (let i = 0; i < width * height; i++) {
      const number = sums[5 * i + 4] || 1;
      const [red, green, blue, alpha] = [0, 1, 2, 3].map((c) => sums[5 * i + c] / number);
      const luma = 0.299 * red + 0.587 * green + 0.114 * blue;
      planes[0][i] = luma;
      planes[1][i] = 128 + (blue - luma) / 1.772;
      planes[2][i] = 128 + (red - luma) / 1.402;
      planes[3][i] = alpha / 255;
    }
    const longest = Math.max(this.photo.width, this.photo.height);
    const mixed = Math.ceil((BLOCK * Math.max(width, height)) / longest);
    return colorMeasure({ planes, width, height }, mixed);
  }
}
