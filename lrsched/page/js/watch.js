// A live page: asks its server for what has changed, and changes just that. What the reader chose stays.
// The page of `lrsched watch` says its version in the block "lrs-live"; a page on disk has none, and asks nobody.

const EVERY = 700; // milliseconds between two questions

let pressed = false; // a mouse button: nothing is drawn anew under a drag
addEventListener("mousedown", () => (pressed = true));
addEventListener("mouseup", () => (pressed = false));

function startWatching() {
  const block = document.getElementById("lrs-live");
  if (!block) return;
  let { version } = JSON.parse(block.textContent);
  const told = element("p", { class: "lost", role: "status", "data-made": "" });
  document.querySelector("header").after(told);

  async function ask() {
    if (!document.hidden && !pressed) {
      try {
        const answer = await fetch(`changes?since=${version}`, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.statusText);
        const changes = await answer.json();
        if (changes.version !== version && !pressed) {
          change(changes);
          version = changes.version;
        }
        say("");
      } catch (error) {
        say("lrsched watch no longer answers: this is what it showed last.");
      }
    }
    setTimeout(ask, EVERY);
  }

  function say(text) {
    if (told.textContent !== text) told.textContent = text;
  }

  setTimeout(ask, EVERY);
}

/** Take what changed: blocks of data, and parts of the page in the order of all of them. */
function change({ order: parts, parts: changed }) {
  const main = document.querySelector("main");
  for (const [name, text] of Object.entries(changed)) {
    if (name.startsWith("lrs-")) document.getElementById(name).textContent = text;
    else changePart(main, name, text, parts);
  }
  for (const section of [...main.children]) {
    if (section.tagName === "SECTION" && !parts.includes(section.id)) section.remove();
  }
  readData();
  startTables();
  startFigures();
  redrawAll();
}

function changePart(main, name, text, parts) {
  const holder = document.createElement("template");
  holder.innerHTML = text; // made and escaped by Python; the page's policy runs no script in it
  const made = holder.content.firstElementChild;
  const old = made.tagName === "SECTION" ? document.getElementById(name) : document.querySelector(name);
  if (old) return patch(old, made);
  const later = parts.slice(parts.indexOf(name) + 1).map((id) => document.getElementById(id));
  main.insertBefore(made, later.find((one) => one?.parentNode === main) ?? null);
}

/** Make an element look like another one, and keep what the script made in it. */
function patch(old, made) {
  if (old.isEqualNode(made)) return;
  if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName || old.id !== made.id) return old.replaceWith(made);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = made.nodeValue;
    return;
  }
  if (old.matches("table.sortable")) return patchTable(old, made);
  for (const { name, value } of made.attributes) {
    if (name === "class" && old.classList.contains("live")) old.setAttribute("class", `${value} live`);
    else old.setAttribute(name, value);
  }
  const kept = [...old.childNodes].filter((node) => node.dataset?.made === undefined);
  const wanted = [...made.childNodes];
  wanted.forEach((node, i) => (kept[i] ? patch(kept[i], node) : old.append(node)));
  for (const node of kept.slice(wanted.length)) node.remove();
}

/** Other rows in a table that is sorted and filtered; another table if its columns are others. */
function patchTable(old, made) {
  const heads = (table) => [...table.tHead.rows].at(-1).textContent;
  if (heads(old) !== heads(made)) {
    document.getElementById(`filter-${old.id}`)?.closest(".filter").remove();
    return old.replaceWith(made);
  }
  if (old.caption && made.caption) patch(old.caption, made.caption);
  [...made.tBodies].forEach((body, i) => old.tBodies[i].replaceWith(body));
  startRows(old);
}
