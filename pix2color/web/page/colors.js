// Colours that people know by name.

import { text } from "./strings.js";

export const GROUPS = {
  skin: { fair: "#e8c4ac", rosy: "#e0a896", olive: "#c59b74", tan: "#b98259", brown: "#8d5a3b", deep: "#5c3a28" },
  hair: { blond: "#c9a35f", auburn: "#7a3b20", chestnut: "#5a3825", black: "#2b2724", gray: "#9a9791" },
  cloth: {
    red: "#b3262e", wine: "#6f1d2f", pink: "#d98a9f", orange: "#d9772b", yellow: "#d9b53a", green: "#3f7d44",
    teal: "#1f7a7a", blue: "#2f5fa8", navy: "#24325c", violet: "#6d4a8f", khaki: "#8c8458", cream: "#e6d9b8",
  },
  nature: {
    sky: "#86b6e0", sea: "#3f7f9a", grass: "#6f9a45", leaf: "#3f6b35", wood: "#8a6238", brick: "#a4553a",
    sand: "#cdb58a", stone: "#95918a", brass: "#b08d3c",
  },
};
const NAMED = Object.values(GROUPS).flatMap(group => Object.entries(group));

/** Return the name of the colour that is nearest to "#rrggbb". */
export function nameOf(color) {
  const far = other => levels(color).reduce((sum, level, i) => sum + (level - levels(other)[i]) ** 2, 0);
  const [name] = NAMED.reduce((best, one) => (far(one[1]) < far(best[1]) ? one : best));
  return text(`colors.${name}`);
}

/** Return red, green and blue of "#rrggbb", 0 to 255. */
export function levels(color) {
  return [1, 3, 5].map(i => parseInt(color.slice(i, i + 2), 16));
}

/** Return "#rrggbb" of red, green and blue, 0 to 255. */
export function hex(channels) {
  return `#${channels.map(level => Math.round(level).toString(16).padStart(2, "0")).join("")}`;
}
