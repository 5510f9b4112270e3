/** Whether a photo has colour or is toned; as in pix2color/imaging/grayscale.py. */

const SIDE = 32;
const DISTINCT = 6; // of Cb and Cr left over that makes a place coloured
const MAX_DISTINCT = 0.02; // share of such places that a toned photo may have

/** The mean colours of the places of a photo, to which rows are added. */
export class Thumbnail {
  constructor(width, height) {
    this.width = Math.min(SIDE, width);
    this.height = Math.min(SIDE, height);
    this.photo = { width, height };
    this.sums = new Float64Array(4 * this.width * this.height); // red, green, blue, number
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
        this.#addRun(rgba, 4 * (row * width + start), 4 * (row * width + end), 4 * (line + cell));
      }
    }
  }

  #addRun(rgba, start, end, at) {
    let [red, green, blue] = [0, 0, 0];
    for (let i = start; i < end; i += 4) {
      red += rgba[i];
      green += rgba[i + 1];
      blue += rgba[i + 2];
    }
    this.sums[at] += red;
    this.sums[at + 1] += green;
    this.sums[at + 2] += blue;
    this.sums[at + 3] += (end - start) / 4;
  }

  /** Return whether there is more colour than toning and stains give a gray photo. */
  hasColor() {
    const places = [];
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) places.push(this.#place(x, y));
    }
    const explained = [0, 1].map((channel) => leastSquares(places, channel));
    const distinct = places.filter(({ chroma, terms }) => {
      const left = chroma.map((value, i) => value - dot(terms, explained[i]));
      return Math.hypot(...left) > DISTINCT;
    });
    return distinct.length / places.length >= MAX_DISTINCT;
  }

  #place(x, y) {
    const at = 4 * (y * this.width + x);
    const number = this.sums[at + 3] || 1;
    const [red, green, blue] = [0, 1, 2].map((c) => this.sums[at + c] / number);
    const luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    const tone = (luma - 128) / 128;
    const across = this.width > 1 ? (2 * x) / (this.width - 1) - 1 : -1;
    const down = this.height > 1 ? (2 * y) / (this.height - 1) - 1 : -1;
    return {
      chroma: [(blue - luma) / 1.772, (red - luma) / 1.402],
      terms: [1, tone, tone ** 2, tone ** 3, across, down],
    };
  }
}

/** Return the factors of the terms that explain one channel of the chroma best. */
function leastSquares(places, channel) {
  const count = places[0].terms.length;
  const rows = Array.from({ length: count }, () => new Float64Array(count + 1));
  for (const { terms, chroma } of places) {
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) rows[i][j] += terms[i] * terms[j];
      rows[i][count] += terms[i] * chroma[channel];
    }
  }
  rows.forEach((row, i) => (row[i] += 1e-6)); // a picture of one tone has no single answer
  return solved(rows);
}

/** Solve linear equations by Gaussian elimination. */
function solved(rows) {
  const count = rows.length;
  for (let i = 0; i < count; i++) {
    let pivot = i;
    for (let j = i + 1; j < count; j++) {
      if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
    }
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let j = 0; j < count; j++) {
      if (j === i) continue;
      const factor = rows[j][i] / rows[i][i];
      for (let k = i; k <= count; k++) rows[j][k] -= factor * rows[i][k];
    }
  }
  return rows.map((row, i) => row[count] / row[i]);
}

function dot(left, right) {
  return left.reduce((sum, value, i) => sum + value * right[i], 0);
}
