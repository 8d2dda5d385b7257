// What a reader chose, kept in the address after "#", so that a link or a reload brings it back.
// A choice has a name such as "sort.runs-table" and a text; the empty text is no choice. A place in the page, as links
// to its sections have it, comes first: "#w0&sort.runs-table=2+down".

const choices = new Map();
const listeners = [];
let place = "";

/** Call `listener()` whenever the address was changed by hand or by the back button. */
function onAddress(listener) {
  listeners.push(listener);
}

function choice(name) {
  return choices.get(name) ?? "";
}

function choose(name, text) {
  if (text === choice(name)) return;
  if (text === "") choices.delete(name);
  else choices.set(name, text);
  writeAddress();
}

/** A choice of several words, as a set. */
function chosenWords(name) {
  return new Set(choice(name).split("\n").filter(Boolean));
}

function chooseWords(name, words) {
  choose(name, [...words].sort().join("\n"));
}

function writeAddress() {
  const after = [place, new URLSearchParams([...choices]).toString()].filter(Boolean).join("&");
  history.replaceState(null, "", after ? `#${after}` : location.pathname + location.search);
}

/** Read the address; return whether it says more than a place. */
function readAddress() {
  const [first, ...others] = location.hash.slice(1).split("&");
  place = first.includes("=") ? "" : first;
  if (place === location.hash.slice(1) && place) return false;
  choices.clear();
  for (const [name, text] of new URLSearchParams((place ? others : [first, ...others]).join("&"))) choices.set(name, text);
  return true;
}

readAddress();
addEventListener("hashchange", () => {
  if (!readAddress()) writeAddress(); // a link within the page: what was chosen stays
  else for (const listener of listeners) listener();
});
if (place && choices.size) document.getElementById(place)?.scrollIntoView();
