/** How much colour a photo has that its tone does not explain; as in imaging/color_measure.py. */

import { withoutFrame } from "./frame.js";
import { quantile } from "./quantile.js";

const LEAST_COLOR = 0.35;
const CELLS = 24;
const TONES = 10; // at which the tone is fitted, linear between
const STIFFNESS = [1, 0.1, 0.01, 0.001, 0, 0]; // of its curve, in rounds of a robust fit
const AREA = 0.15; // that may be of any colour: stamps, stains
const WIDEST_TONING = 80; // levels of Cb and Cr between the tones of a print
const NOISE = 0.8; // of the difference between neighbouring cells, left after averaging
const [FULL_CONTRAST, LEAST_CONTRAST] = [230, 0.45];

/** Return whether a photo of this measure is in colour. */
export function countsAsColor(measure) {
  return measure >= LEAST_COLOR;
}

/**
 * Return how many levels of Cb and Cr a photo's tone does not explain.
 *
 * The photo is {planes: [Y', Cb, Cr, opaque], width, height}, reduced; `mixed` is in how many lines
 * a JPEG has mixed it with what is around it.
 */
export function colorMeasure(whole, mixed) {
  const photo = withoutFrame(whole, mixed);
  const [luma, cb, cr, opaque] = photo.planes.map((data) => ({ ...photo, data }));
  const seen = Array.from(cells(opaque).data, (share) => (share > 0.5 ? 1 : 0));
  const chroma = [cells(cb), cells(cr)];
  const { width, height } = chroma[0];
  const left = unexplained(luma, chroma, seen);
  const even = left.map((data) => averaged({ data, width, height }));
  const away = seen.map((_, i) => Math.hypot(left[0][i] - even[0][i], left[1][i] - even[1][i]));
  const noise = quantile(ascending(away), 0.5);
  const inside = ascending(
    seen.map((one, i) => (one ? Math.hypot(even[0][i], even[1][i]) : NaN)).filter(Number.isFinite),
  );
  if (!inside.length) return 0;
  const most = Math.max(quantile(inside, 1 - AREA), opposed(chroma, seen));
  const levels = ascending(luma.data);
  const reach = quantile(levels, 0.995) - quantile(levels, 0.005);
  const contrast = Math.min(1, Math.max(LEAST_CONTRAST, reach / FULL_CONTRAST));
  return Math.sqrt(Math.max(most ** 2 - (NOISE * noise) ** 2, 0) / contrast);
}

/** Return by how many levels the chroma of what is seen is further apart than by toning. */
function opposed(chroma, seen) {
  const [a, b] = chroma.map(({ data }) => Array.from(data).filter((_, i) => seen[i]));
  if (a.length < 2) return 0;
  const [middleA, middleB] = [mean(a), mean(b)];
  let [aa, ab, bb] = [1, 0, 1];
  for (let i = 0; i < a.length; i++) {
    aa += (a[i] - middleA) ** 2 / (a.length - 1);
    ab += ((a[i] - middleA) * (b[i] - middleB)) / (a.length - 1);
    bb += (b[i] - middleB) ** 2 / (a.length - 1);
  }
  const angle = Math.atan2(2 * ab, aa - bb) / 2; // of the axis along which they differ most
  const along = ascending(a.map((value, i) => value * Math.cos(angle) + b[i] * Math.sin(angle)));
  return Math.max(0, quantile(along, 1 - AREA) - quantile(along, AREA) - WIDEST_TONING);
}

/** Return what is left of the chroma in cells, two planes, once the tone is taken out. */
function unexplained(luma, chroma, seen) {
  const { tone, others } = explanations(luma);
  const columns = [...tone, ...others];
  const targets = chroma.map(({ data }) => Array.from(data, (level) => level - 128));
  let trust = seen;
  let left = targets;
  for (const stiffness of STIFFNESS) {
    const factors = fitted(columns, targets, trust, stiffness * seen.length, tone.length);
    left = targets.map((target, k) =>
      target.map((value, i) => columns.reduce((rest, column, j) => rest - column[i] * factors[j][k], value)),
    );
    const away = seen.map((_, i) => Math.hypot(left[0][i], left[1][i]));
    const usual = Math.max(1.5 * quantile(ascending(away), 0.5), 0.7);
    trust = seen.map((one, i) => one / (1 + (away[i] / (2 * usual)) ** 2));
  }
  return left;
}

/** Return the factors of columns that explain two targets best; the first ones bend stiffly. */
function fitted(columns, targets, trust, stiffness, tones) {
  const rows = columns.map((left) => {
    const weighted = left.map((value, i) => value * trust[i]);
    return Float64Array.from([...columns, ...targets], (right) => dot(weighted, right));
  });
  rows.forEach((row, i) => (row[i] += 1e-3));
  for (let first = 0; first + 2 < tones; first++) {
    const bend = [1, -2, 1];
    bend.forEach((a, i) =>
      bend.forEach((b, j) => (rows[first + i][first + j] += stiffness * a * b)),
    );
  }
  return solved(rows);
}

/** Return what tone is made of, and what stains and fringes are, each in cells. */
function explanations(luma) {
  const { data, width, height } = luma;
  const sorted = ascending(data);
  const [darkest, lightest] = [quantile(sorted, 0.005), quantile(sorted, 0.995)];
  const tones = Math.min(width, height) >= CELLS ? TONES : 2;
  const step = Math.max((lightest - darkest) / (tones - 1), 1);
  const inCells = (values) => Array.from(cells({ data: values, width, height }).data);
  const tone = Array.from({ length: tones }, (_, i) =>
    inCells(
      data.map((level) => {
        const at = Math.min(tones - 1, Math.max(0, (level - darkest) / step));
        return Math.max(0, 1 - Math.abs(at - i));
      }),
    ),
  );
  if (tones < TONES) return { tone, others: [] }; // too few pixels to tell stains from colours
  const places = Array.from({ length: CELLS * CELLS }, (_, i) =>
    [Math.floor(i / CELLS), i % CELLS].map((place) => (2 * place) / (CELLS - 1) - 1),
  );
  const stains = [
    ([y]) => y,
    ([, x]) => x,
    ([y, x]) => y * x,
    ([y]) => y ** 2,
    ([, x]) => x ** 2,
    ([y, x]) => Math.max(y + x, 0), // from a corner
    ([y, x]) => Math.max(y - x, 0),
  ].map((stain) => places.map(stain));
  const levels = inCells(data);
  const toned = stains.map((stain) => stain.map((value, i) => (value * levels[i]) / 128));
  const fringes = [width, 1].map((stride) =>
    inCells(slopes(luma, stride)).map((value) => value / 32),
  );
  return { tone, others: [...stains, ...toned, ...fringes] };
}

/** Return the slopes of a plane, downwards for a stride of its width, or across for one of 1. */
function slopes({ data, width, height }, stride) {
  const last = (stride === 1 ? width : height) - 1;
  return data.map((_, i) => {
    const place = stride === 1 ? i % width : Math.floor(i / width);
    const [before, after] = [place ? i - stride : i, place < last ? i + stride : i];
    return (data[after] - data[before]) / Math.max(1, (after - before) / stride);
  });
}

/** Return a plane reduced to at most 24 x 24 cells, each the mean of the pixels in it. */
function cells({ data, width, height }) {
  const [wide, high] = [Math.min(CELLS, width), Math.min(CELLS, height)];
  const sums = new Float64Array(wide * high);
  const counts = new Float64Array(wide * high);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * high) / height) * wide;
    for (let x = 0; x < width; x++, i++) {
      const at = row + Math.floor(((x + 0.5) * wide) / width);
      sums[at] += data[i];
      counts[at] += 1;
    }
  }
  return { data: sums.map((sum, i) => sum / counts[i]), width: wide, height: high };
}

/** Return a plane in which each cell is the mean of 3 x 3. */
function averaged({ data, width, height }) {
  return data.map((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    let sum = 0;
    for (const row of [y - 1, y, y + 1]) {
      const start = Math.min(height - 1, Math.max(0, row)) * width;
      for (const column of [x - 1, x, x + 1]) {
        sum += data[start + Math.min(width - 1, Math.max(0, column))];
      }
    }
    return sum / 9;
  });
}

/** Solve linear equations, of which the rows end in several right sides, by elimination. */
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
      for (let k = i; k < rows[j].length; k++) rows[j][k] -= factor * rows[i][k];
    }
  }
  return rows.map((row, i) => Array.from(row.subarray(count), (value) => value / row[i]));
}

function ascending(values) {
  return Float64Array.from(values).sort();
}

function dot(left, right) {
  return left.reduce((sum, value, i) => sum + value * right[i], 0);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
