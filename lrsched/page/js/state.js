// What a reader chose, kept in the address after "#", so that a link or a reload brings it back.
// A choice has a name such as "sort.runs" and a text; the empty text is no choice.

const choices = new URLSearchParams();
const listeners = [];

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
  const after = choices.toString();
  history.replaceState(null, "", after ? `#${after}` : location.pathname + location.search);
}

/** A choice of several words, as a set. */
function chosenWords(name) {
  return new Set(choice(name).split("\n").filter(Boolean));
}

function chooseWords(name, words) {
  choose(name, [...words].sort().join("\n"));
}

function readAddress() {
  for (const name of [...choices.keys()]) choices.delete(name);
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) choices.set(name, text);
}

readAddress();
addEventListener("hashchange", () => {
  readAddress();
  for (const listener of listeners) listener();
});
