// Elements made by the script. Text is always text: nothing here parses markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function button(text, press, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", press);
  return made;
}

const spoken = element("div", { "aria-live": "polite", role: "status", class: "unseen", id: "spoken", "data-made": "" });
document.body.append(spoken);
let speaking = 0;

/** Have a screen reader say something once the reader's hand rests. */
function speak(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => (spoken.textContent = text), 150);
}
