/** Resampling of gray pictures in the rounding of Pillow, of which the command line's is. */

const PRECISION = 22; // bits behind the point of Pillow's weights
const ONE = 1 << PRECISION;
const REDUCING_GAP = 2;

/** Filters: how far they reach, and their weight at a distance. */
export const BICUBIC = { support: 2, weight: cubic };
export const BILINEAR = { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };
export const BOX = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };

/**
 * Return `picture` ({data, width, height}, 8 bits a pixel) reduced, by whole numbers as far as that
 * is nearly free, then by `filter`.
 */
export function reduced(picture, width, height, filter) {
  const across = Math.floor(picture.width / width / REDUCING_GAP) || 1;
  const down = Math.floor(picture.height / height / REDUCING_GAP) || 1;
  const small = across > 1 || down > 1 ? boxReduced(picture, across, down) : picture;
  const extent = [picture.width / across, picture.height / down];
  return resampled(small, width, height, filter, extent);
}

/** Return `picture` at another size; `extent` is how much of it counts, in fractions of pixels. */
export function resampled(picture, width, height, filter, extent) {
  const [wide, high] = extent ?? [picture.width, picture.height];
  let result = picture;
  if (width !== picture.width || wide !== picture.width) {
    result = resampledAcross(result, weightsOf(picture.width, wide, width, filter));
  }
  if (height !== picture.height || high !== picture.height) {
    result = resampledDown(result, weightsOf(picture.height, high, height, filter));
  }
  return result;
}

function boxReduced(picture, across, down) {
  const { data, width, height } = picture;
  const columns = Math.ceil(width / across);
  const rows = Math.ceil(height / down);
  const out = new Uint8Array(columns * rows);
  const sums = new Uint32Array(columns);
  for (let row = 0; row < rows; row++) {
    const bottom = Math.min(height, (row + 1) * down);
    const lines = bottom - row * down;
    sums.fill(0);
    for (let y = row * down; y < bottom; y++) addCells(data, y * width, width, across, sums);
    for (let column = 0; column < columns; column++) {
      const count = lines * Math.min(across, width - column * across);
      out[row * columns + column] = divided(sums[column] + (count >> 1), count);
    }
  }
  return { data: out, width: columns, height: rows };
}

/** Return a sum divided as Pillow does it, which may be one less than the exact quotient. */
function divided(sum, count) {
  return Math.floor((sum * Math.floor(2 ** 24 / count)) / 2 ** 24);
}

function addCells(data, start, width, across, sums) {
  for (let x = 0, column = 0; x < width; column++) {
    const end = Math.min(width, x + across);
    let sum = 0;
    for (; x < end; x++) sum += data[start + x];
    sums[column] += sum;
  }
}

/** Return for each place of the result where its sources begin, how many, and their weights. */
function weightsOf(size, extent, count, { support, weight }) {
  const scale = extent / count;
  const stretch = Math.max(1, scale);
  const reach = support * stretch;
  const most = Math.ceil(reach) * 2 + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const weights = new Int32Array(count * most);
  const here = new Float64Array(most);
  for (let i = 0; i < count; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const number = Math.min(size, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < number; k++) {
      here[k] = weight((k + start - center + 0.5) / stretch);
      sum += here[k];
    }
    for (let k = 0; k < number; k++) {
      const share = (sum === 0 ? here[k] : here[k] / sum) * ONE;
      weights[i * most + k] = Math.trunc(share + (share < 0 ? -0.5 : 0.5));
    }
    starts[i] = start;
    counts[i] = number;
  }
  return { count, most, starts, counts, weights };
}

function resampledAcross({ data, width, height }, { count, most, starts, counts, weights }) {
  const out = new Uint8ClampedArray(count * height);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < count; i++) {
      const from = y * width + starts[i];
      const at = i * most;
      let sum = ONE >> 1;
      for (let k = 0; k < counts[i]; k++) sum += data[from + k] * weights[at + k];
      out[y * count + i] = sum >> PRECISION;
    }
  }
  return { data: out, width: count, height };
}

function resampledDown({ data, width }, { count, most, starts, counts, weights }) {
  const out = new Uint8ClampedArray(width * count);
  const sums = new Int32Array(width);
  for (let i = 0; i < count; i++) {
    sums.fill(ONE >> 1);
    for (let k = 0; k < counts[i]; k++) {
      const from = (starts[i] + k) * width;
      const weight = weights[i * most + k];
      for (let x = 0; x < width; x++) sums[x] += data[from + x] * weight;
    }
    for (let x = 0; x < width; x++) out[i * width + x] = sums[x] >> PRECISION;
  }
  return { data: out, width, height: count };
}

function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/** Return a number rounded to a whole one, halves to the even, as Python's `round` does. */
export function rounded(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
