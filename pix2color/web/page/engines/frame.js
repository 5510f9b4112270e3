/** What lies around a photo: an album's page, a mat; as in imaging/color_measure.py. */

const PLAIN = [8, 2.5, 2.5]; // spread of Y', Cb and Cr along a line of a frame
const LIKE_BEFORE = 6; // levels that a line of a frame may differ from the outermost
const SHALLOWEST = 3; // lines that a frame or strip has at least
const DEEPEST = 0.35; // share of a side that a frame may take
const FEWEST_SIDES = 2;
const COLORFUL = 15; // spread of Cb and Cr along a scanner's colour strip
const WIDEST_STRIP = 0.2;
const CHANNELS = [0, 1, 2];
const SIDES = [0, 1, 2, 3]; // top, bottom, left, right

/** Return a picture ({planes, width, height}, Y', Cb, Cr first) without what lies around it. */
export function withoutFrame(picture, mixed) {
  const edges = [0, picture.height, 0, picture.width];
  for (let round = 0; round < 2; round++) {
    for (const side of SIDES) cut(edges, side, stripDepth(linesOf(picture, edges, side)), mixed);
    const sides = SIDES.map((side) => linesOf(picture, edges, side));
    const means = sides.map((lines) => meansOf(lines, 0));
    const depths = sides.map(plainDepth);
    const frame = means[depths.indexOf(Math.max(...depths))];
    const framed = SIDES.filter((side) => depths[side] && alike(means[side], frame));
    if (framed.length < FEWEST_SIDES) break; // a sky is plain, too
    for (const side of framed) cut(edges, side, depths[side], mixed);
  }
  return cropped(picture, edges);
}

function cropped({ planes, width }, [top, bottom, left, right]) {
  const [wide, high] = [right - left, bottom - top];
  const inside = planes.map((plane) => {
    const part = new Float64Array(wide * high);
    for (let y = 0; y < high; y++) {
      const start = (top + y) * width + left;
      part.set(plane.subarray(start, start + wide), y * wide);
    }
    return part;
  });
  return { planes: inside, width: wide, height: high };
}

/** Return the lines within edges from one side on: {count, length, at(line, place, channel)}. */
function linesOf({ planes, width }, [top, bottom, left, right], side) {
  const [high, wide] = [bottom - top, right - left];
  const across = side < 2;
  const count = across ? high : wide;
  return {
    count,
    length: across ? wide : high,
    at: (line, place, channel) => {
      const from = side % 2 ? count - 1 - line : line;
      const [y, x] = across ? [from, place] : [place, from];
      return planes[channel][(top + y) * width + left + x];
    },
  };
}

function cut(edges, side, depth, mixed) {
  if (!depth) return;
  const first = side < 2 ? 0 : 2;
  const left = edges[first + 1] - edges[first] - depth;
  const all = depth + Math.min(mixed, Math.floor(left / 4)); // of a small picture, all is mixed
  edges[side] += side % 2 ? -all : all;
}

/** Return how many lines are of one colour, that of the first. */
function plainDepth(lines) {
  const first = meansOf(lines, 0);
  return depthOf(lines, DEEPEST, (line) => {
    const means = meansOf(lines, line);
    const spreads = CHANNELS.map((channel) => spreadOf(lines, line, channel, means[channel]));
    return alike(means, first) && spreads.every((spread, channel) => spread <= PLAIN[channel]);
  });
}

/** Return how many lines repeat the first, if that is one of coloured patches. */
function stripDepth(lines) {
  const means = meansOf(lines, 0);
  const [cb, cr] = [1, 2].map((channel) => spreadOf(lines, 0, channel, means[channel]));
  if (Math.hypot(cb, cr) <= COLORFUL) return 0;
  return depthOf(lines, WIDEST_STRIP, (line) =>
    CHANNELS.every((channel) => {
      let sum = 0;
      for (let place = 0; place < lines.length; place++) {
        sum += Math.abs(lines.at(line, place, channel) - lines.at(0, place, channel));
      }
      return sum / lines.length <= LIKE_BEFORE;
    }),
  );
}

function depthOf(lines, most, belongs) {
  let depth = 0;
  while (depth < lines.count && belongs(depth)) depth++;
  return depth >= SHALLOWEST && depth <= most * lines.count ? depth : 0;
}

function meansOf(lines, line) {
  return CHANNELS.map((channel) => {
    let sum = 0;
    for (let place = 0; place < lines.length; place++) sum += lines.at(line, place, channel);
    return sum / lines.length;
  });
}

function spreadOf(lines, line, channel, mean) {
  let sum = 0;
  for (let place = 0; place < lines.length; place++) {
    sum += (lines.at(line, place, channel) - mean) ** 2;
  }
  return Math.sqrt(sum / lines.length);
}

function alike(left, right) {
  return left.every((value, channel) => Math.abs(value - right[channel]) <= LIKE_BEFORE);
}
