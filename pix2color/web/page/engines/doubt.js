/** Where the model guesses; as in doubt.py and doubt_spots.py of pix2color/inference. */

import { between } from "./interpolation.js";
import { AB_SCALE } from "./lab.js";

/** What is shown to the network: its size beside the first, and whether mirrored. */
export const VIEWS = [
  { share: 1, mirrored: false },
  { share: 0.75, mirrored: true },
  { share: 1.25, mirrored: true },
];
const [SAID, SPREAD, CHROMA] = [0.7, 1.1, 0.18]; // what each adds to the error

const MOST = 5;
const APART = 0.15; // of the longer side
const MARGIN = 0.04; // of each side: networks doubt what they see the border of
const LEAST = 0.6; // of the largest doubt
const FINE = 256; // pixels of the longer side that are looked at

/**
 * Return places [{x, y}] in pixels of a photo, the most doubtful first.
 *
 * `doubt` ({data, width, height}) is of the whole photo, at the network's size.
 */
export function doubtSpots(doubt, photo, hints) {
  const step = Math.ceil(Math.max(photo.width, photo.height) / FINE);
  const first = step >> 1;
  const coarse = sampled(doubt, photo, step, first);
  const distance = APART * Math.max(coarse.width, coarse.height);
  blankMargins(coarse);
  for (const hint of hints) blankAround(coarse, hint.x / step, hint.y / step, distance);
  const spots = [];
  let place = largest(coarse.data);
  const least = LEAST * coarse.data[place];
  while (spots.length < MOST && coarse.data[place] >= least && least > 0) {
    const x = place % coarse.width;
    const y = Math.floor(place / coarse.width);
    spots.push({ x: x * step + first, y: y * step + first });
    blankAround(coarse, x, y, distance);
    place = largest(coarse.data);
  }
  return spots;
}

/** Return the error to be expected as {data, width, height}, of `VIEWS` as {a, b, doubt} each. */
export function expectedError(views) {
  const { width, height } = views[0].a;
  const data = new Float32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const at = (plane) => {
        const column = ((x + 0.5) * plane.width) / width - 0.5;
        return between(plane, column, ((y + 0.5) * plane.height) / height - 0.5);
      };
      const [a, b, said] = ["a", "b", "doubt"].map((name) => views.map((view) => at(view[name])));
      const spread = Math.sqrt(variance(a) + variance(b));
      const error = SAID * mean(said) + SPREAD * spread + CHROMA * Math.hypot(a[0], b[0]);
      data[i] = AB_SCALE * error;
    }
  }
  return { data, width, height };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values) {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
}

/** Return the doubt at every `step`th pixel of the photo, between the network's pixels. */
function sampled(doubt, photo, step, first) {
  const width = Math.ceil((photo.width - first) / step);
  const height = Math.ceil((photo.height - first) / step);
  const data = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = ((y * step + first + 0.5) * doubt.height) / photo.height - 0.5;
    for (let x = 0; x < width; x++) {
      const column = ((x * step + first + 0.5) * doubt.width) / photo.width - 0.5;
      data[y * width + x] = between(doubt, column, row);
    }
  }
  return { data, width, height };
}

function blankMargins({ data, width, height }) {
  const [across, down] = [Math.trunc(MARGIN * width), Math.trunc(MARGIN * height)];
  for (let y = 0; y < height; y++) {
    const whole = y < down || y >= height - down;
    for (let x = 0; x < width; x++) {
      if (whole || x < across || x >= width - across) data[y * width + x] = 0;
    }
  }
}

function blankAround({ data, width, height }, x, y, distance) {
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (Math.hypot(column - x, row - y) < distance) data[row * width + column] = 0;
    }
  }
}

function largest(values) {
  let place = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[place]) place = i;
  return place;
}
