/** Conversions between sRGB and CIE Lab, as pix2color/color/lab.py has them. */

const XYZ_FROM_RGB = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const RGB_FROM_XYZ = inverse(XYZ_FROM_RGB);
const WHITE = [0.95047, 1.0, 1.08883];
const TOLERANCE = 1e-4; // by how much linear RGB may leave [0, 1] and still count as inside
const BISECTIONS = 8;

/** L* is 0 to 100; networks see L* / 50 − 1. */
export const L_HALF_RANGE = 50;
/** Networks see a* and b* divided by this. */
export const AB_SCALE = 110;

/** Linear light of each level, computed in 32 bits so that grays are those of the command line. */
const LINEAR = Float32Array.from({ length: 256 }, (_, level) => {
  const single = Math.fround;
  const share = single(level / 255);
  if (share <= 0.04045) return share / single(12.92);
  const sum = single(share + single(0.055));
  return single(sum / single(1.055)) ** single(2.4);
});

/** L in [−1, 1] of each level of gray. */
export const LIGHTNESS = Float32Array.from(
  { length: 256 },
  (_, level) => rgbToLab(level, level, level)[0] / L_HALF_RANGE - 1,
);

/** Return L*, a* and b* of a colour whose channels are 0 to 255. */
export function rgbToLab(red, green, blue) {
  const light = [LINEAR[red], LINEAR[green], LINEAR[blue]];
  const [fx, fy, fz] = mixed(XYZ_FROM_RGB, light).map((value, i) => perceived(value / WHITE[i]));
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}

/**
 * Write to `out` the channels, 0 to 255, of a colour in Lab, its chroma lowered until it exists.
 *
 * Clipping the channels instead would change the luminance.
 */
export function labToRgb(L, a, b, out) {
  linearFromLab(L, a, b, out);
  if (!inGamut(out)) {
    let low = 0;
    let high = 1;
    for (let step = 0; step < BISECTIONS; step++) {
      const middle = (low + high) / 2;
      linearFromLab(L, a * middle, b * middle, out);
      if (inGamut(out)) low = middle;
      else high = middle;
    }
    linearFromLab(L, a * low, b * low, out);
  }
  for (let i = 0; i < 3; i++) out[i] = 255 * encoded(out[i]);
}

/** Return tables of each channel's share of the luminance, and of the gray of each sum of them. */
export function luminanceTables() {
  const shares = XYZ_FROM_RGB[1];
  const sum = shares[0] + shares[1] + shares[2];
  const weights = shares.map((share) =>
    Int32Array.from(LINEAR, (light) => Math.round(light * 65535 * (share / sum))),
  );
  const grays = weights[0].map((_, level) => weights.reduce((all, table) => all + table[level], 0));
  const gray = new Uint8Array(grays[255] + 1);
  let level = 0;
  for (let step = 0; step < gray.length; step++) {
    while (level < 255 && (grays[level] + grays[level + 1]) / 2 < step) level++;
    gray[step] = level;
  }
  return { weights, gray };
}

function linearFromLab(L, a, b, out) {
  const fy = (L + 16) / 116;
  const x = luminous(fy + a / 500) * WHITE[0];
  const y = luminous(fy) * WHITE[1];
  const z = luminous(Math.max(0, fy - b / 200)) * WHITE[2];
  for (let i = 0; i < 3; i++) {
    const row = RGB_FROM_XYZ[i];
    out[i] = row[0] * x + row[1] * y + row[2] * z;
  }
}

function inGamut(linear) {
  return (
    Math.min(linear[0], linear[1], linear[2]) >= -TOLERANCE &&
    Math.max(linear[0], linear[1], linear[2]) <= 1 + TOLERANCE
  );
}

function perceived(share) {
  return share > 0.008856 ? Math.cbrt(share) : 7.787 * share + 16 / 116;
}

function luminous(f) {
  return f > 0.2068966 ? f * f * f : (f - 16 / 116) / 7.787;
}

function encoded(linear) {
  const share = linear > 0.0031308 ? 1.055 * linear ** (1 / 2.4) - 0.055 : 12.92 * linear;
  return Math.min(1, Math.max(0, share));
}

function mixed(matrix, [x, y, z]) {
  return matrix.map((row) => row[0] * x + row[1] * y + row[2] * z);
}

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const columns = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  const determinant = a * columns[0][0] + b * columns[1][0] + c * columns[2][0];
  return columns.map((row) => row.map((value) => value / determinant));
}
