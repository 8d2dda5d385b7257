// Colours and dashes: read from the page's own variables, so that light and dark need nothing here.

const DASHES = [[], [8, 4], [2, 3], [8, 3, 2, 3], [12, 3], [4, 4], [1, 4], [14, 3, 3, 3]];

function dashOf(index) {
  return DASHES[(index ?? 0) % DASHES.length];
}

/** The value of a CSS variable, such as --grid. */
function colour(name, otherwise = "gray") {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || otherwise;
}

function colourOf(index) {
  return colour(`--c${(index ?? 0) % 10}`);
}

/** The same colour, seen through. */
function faint(solid, share) {
  return `color-mix(in srgb, ${solid} ${Math.round(100 * share)}%, transparent)`;
}

/** Call `redraw()` when the reader's system turns dark or light. */
function onTheme(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
