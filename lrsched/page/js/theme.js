// Colours and dashes of a candidate, as the style has them for the static pictures: light and dark need nothing here.

const DASHES = [[], [9, 4], [2, 3], [9, 3, 2, 3], [14, 5], [6, 2, 2, 2, 2, 2]];
const COLOURS = 8;

function dashOf(number) {
  return DASHES[((number % COLOURS) + Math.floor(number / COLOURS)) % DASHES.length];
}

function colourOf(number) {
  return colour(`--c${number % COLOURS}`);
}

/** The value of a variable of the style, such as --faint. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "gray";
}

/** The same colour, seen through. */
function faint(solid, share) {
  return `color-mix(in srgb, ${solid} ${Math.round(100 * share)}%, transparent)`;
}

/** Call `redraw()` when the reader's system turns dark or light. */
function onTheme(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
