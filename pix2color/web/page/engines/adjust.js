/** Adjustments of predicted colours; as in pix2color/inference/adjust.py. */

import { AB_SCALE, rgbToLab } from "./lab.js";

const WARMEST = [4 / AB_SCALE, 16 / AB_SCALE]; // a* and b* that a temperature of 100 adds
const MAX_TEMPERATURE = 100;
const MIN_CHROMA = 3 / AB_SCALE;
const MAX_STRETCH = 3;

/**
 * Return ab (two planes) adjusted by the statistics of a reference, if there are any, by saturation
 * and by temperature.
 */
export function adjusted(ab, { saturation, temperature, statistics }) {
  const liked = statistics ? transferred(ab, statistics) : ab;
  const size = ab.length / 2;
  return liked.map((value, i) => {
    const warmth = WARMEST[i < size ? 0 : 1] * (temperature / MAX_TEMPERATURE);
    return value * saturation + warmth;
  });
}

/** Return the statistics of a colour photo's ab; null if it has no colour to speak of. */
export function statisticsOfRgb([red, green, blue]) {
  const size = red.length;
  const ab = new Float32Array(2 * size);
  for (let i = 0; i < size; i++) {
    const [, a, b] = rgbToLab(red[i], green[i], blue[i]);
    ab[i] = a / AB_SCALE;
    ab[size + i] = b / AB_SCALE;
  }
  const found = statisticsOf(ab);
  const { mean, covariance } = found;
  const spread = covariance[0] + covariance[2] + mean[0] ** 2 + mean[1] ** 2;
  return spread < MIN_CHROMA ** 2 ? null : found;
}

/** Return mean [a, b] and covariance [aa, ab, bb]. */
function statisticsOf(values) {
  const size = values.length / 2;
  let [a, b, aa, ab, bb] = [0, 0, 0, 0, 0];
  for (let i = 0; i < size; i++) {
    a += values[i] / size;
    b += values[size + i] / size;
  }
  for (let i = 0; i < size; i++) {
    const da = values[i] - a;
    const db = values[size + i] - b;
    aa += (da * da) / size;
    ab += (da * db) / size;
    bb += (db * db) / size;
  }
  return { mean: [a, b], covariance: [aa, ab, bb] };
}

/** Return ab moved and stretched, by the map that moves colours least, to have these statistics. */
function transferred(ab, { mean, covariance }) {
  const own = statisticsOf(ab);
  const [aa, across, bb] = own.covariance;
  // Hardly spread colours would be blown up to fill the reference's.
  const root = byEigenvalues([aa + 1e-6, across, bb + 1e-6], squareRoot);
  const inverse = byEigenvalues(root, (value) => 1 / value);
  const middle = byEigenvalues(sandwiched(root, covariance), squareRoot);
  const transport = byEigenvalues(sandwiched(inverse, middle), (v) => Math.min(v, MAX_STRETCH));
  const size = ab.length / 2;
  const out = new Float32Array(ab.length);
  for (let i = 0; i < size; i++) {
    const a = ab[i] - own.mean[0];
    const b = ab[size + i] - own.mean[1];
    out[i] = transport[0] * a + transport[1] * b + mean[0];
    out[size + i] = transport[1] * a + transport[2] * b + mean[1];
  }
  return out;
}

function squareRoot(value) {
  return Math.sqrt(Math.max(0, value));
}

/** Return outer · inner · outer of symmetric matrices [xx, xy, yy]. */
function sandwiched([a, b, c], [p, q, r]) {
  return [
    a * (a * p + b * q) + b * (a * q + b * r),
    a * (b * p + c * q) + b * (b * q + c * r),
    b * (b * p + c * q) + c * (b * q + c * r),
  ];
}

/** Return a symmetric matrix with a function applied to its eigenvalues. */
function byEigenvalues([a, b, c], apply) {
  const angle = Math.atan2(2 * b, a - c) / 2;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const first = apply(a * cos * cos + 2 * b * cos * sin + c * sin * sin);
  const second = apply(a * sin * sin - 2 * b * cos * sin + c * cos * cos);
  return [
    first * cos * cos + second * sin * sin,
    (first - second) * cos * sin,
    first * sin * sin + second * cos * cos,
  ];
}
