/** What a network leaves undone of its hints; as in hint_correction.py of the package. */

import { between } from "./interpolation.js";

const CELLS = 8192; // at most, in which a picture is looked at
const REACH = 1 / 2; // of the short side: standard deviations of how far, …
const LIKE_L = 0.15; // … in L …
const LIKE_AB = 0.06; // … and in ab, a hint's correction goes
const ELSEWHERE = 0.1; // weight of no correction

/** Return ab brought closer to the hints of the tensors that `networkInputs` makes. */
export function correctedByHints(ab, { L, hints, width, height }) {
  const size = width * height;
  const mask = hints.subarray(2 * size);
  if (!mask.includes(1)) return ab;
  const step = Math.ceil(Math.sqrt(size / CELLS));
  const [columns, rows] = [width, height].map((side) => Math.ceil(side / step));
  const unit = REACH * Math.min(width, height);
  const looks = [];
  const wanted = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = [(row * step) / unit, (column * step) / unit];
      const all = [0, 0, 0, 0];
      const given = [0, 0, 0, 0, 0, 0]; // of a cell with a hint, only the pixels count that have it
      for (let y = row * step; y < Math.min(height, (row + 1) * step); y++) {
        for (let x = column * step; x < Math.min(width, (column + 1) * step); x++) {
          const at = y * width + x;
          const [a, b] = [ab[at], ab[size + at]];
          const pixel = [1, L[at] / LIKE_L, a / LIKE_AB, b / LIKE_AB];
          pixel.forEach((value, i) => (all[i] += value));
          if (!mask[at]) continue;
          const missing = [hints[at] - a, hints[size + at] - b];
          [...pixel, ...missing].forEach((value, i) => (given[i] += value));
        }
      }
      looks.push([...place, ...meansOf(all)]);
      if (given[0]) wanted.push([...place, ...meansOf(given)]);
    }
  }
  const corrections = spread(looks, wanted).map((data) => ({ data, width: columns, height: rows }));
  return ab.map((value, i) => {
    const [x, y] = [i % width, Math.floor((i % size) / width)];
    const place = [x, y].map((pixel) => (pixel + 0.5) / step - 0.5);
    return value + between(corrections[i < size ? 0 : 1], ...place);
  });
}

function meansOf([count, ...sums]) {
  return sums.map((sum) => sum / count);
}

/** Return what is missing, as planes of a and b, at places like those where it is known. */
function spread(looks, wanted) {
  const planes = [0, 1].map(() => new Float32Array(looks.length));
  looks.forEach((look, i) => {
    let [total, a, b] = [ELSEWHERE, 0, 0];
    for (const hint of wanted) {
      let difference = 0;
      for (let k = 0; k < look.length; k++) difference += (look[k] - hint[k]) ** 2;
      const weight = Math.exp(-difference / 2);
      total += weight;
      a += weight * hint[5];
      b += weight * hint[6];
    }
    planes[0][i] = a / total;
    planes[1][i] = b / total;
  });
  return planes;
}
