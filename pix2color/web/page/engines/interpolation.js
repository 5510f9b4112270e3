/** Linear interpolation of planes of numbers. */

/** Return the value of a plane ({data, width, height}) at a place between its cells' middles. */
export function between({ data, width, height }, x, y) {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const at = (column, row) => {
    const inside = Math.min(height - 1, Math.max(0, row)) * width;
    return data[inside + Math.min(width - 1, Math.max(0, column))];
  };
  const across = (row) => at(left, row) * (left + 1 - x) + at(left + 1, row) * (x - left);
  return across(top) * (top + 1 - y) + across(top + 1) * (y - top);
}
