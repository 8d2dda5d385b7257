// Tables: sort by any column, filter rows by words.
// The order that Python wrote is kept in `order`; a third press on a column brings it back.

const FEW = 6; // rows that need no filter

const order = new WeakMap();
const started = new WeakSet();

function startTables() {
  for (const table of document.querySelectorAll("table.sortable")) {
    if (started.has(table)) continue;
    started.add(table);
    [...table.tHead.rows].at(-1).querySelectorAll("th").forEach((head) => startHead(table, head));
    startFilter(table);
    startRows(table);
  }
}

/** Take the rows of a table as Python ordered them, now or again. */
function startRows(table) {
  for (const body of table.tBodies) [...body.rows].forEach((row, index) => order.set(row, index));
  if (choice(`sort.${table.id}`)) arrange(table);
  table.refilter();
}

function startHead(table, head) {
  const label = head.textContent.trim();
  const press = () => {
    const [column, way] = sorting(table);
    const next = column !== head.cellIndex ? "up" : way === "up" ? "down" : "";
    choose(`sort.${table.id}`, next && `${head.cellIndex} ${next}`);
    arrange(table);
    speak(next ? `sorted by ${label}, ${next === "up" ? "ascending" : "descending"}` : "in the first order");
  };
  const pressed = button("", press, { class: "sort" });
  pressed.append(...head.childNodes);
  head.append(pressed);
}

function startFilter(table) {
  const field = element("input", { type: "search", id: `filter-${table.id}`, autocomplete: "off", spellcheck: "false" });
  const count = element("output", { for: field.id });
  field.value = choice(`filter.${table.id}`);
  field.addEventListener("input", () => {
    choose(`filter.${table.id}`, field.value);
    filter(table, field, count);
    speak(count.textContent);
  });
  const label = element("label", { for: field.id }, "Filter rows ");
  const box = element("div", { class: "filter", "data-made": "" }, label, field, " ", count);
  (table.closest(".scroll") ?? table).before(box);
  table.refilter = () => {
    field.value = choice(`filter.${table.id}`);
    box.hidden = !field.value && [...table.tBodies].every((body) => body.rows.length <= FEW);
    filter(table, field, count);
  };
}

/** Show the rows that contain every word. */
function filter(table, field, count) {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const body of table.tBodies) {
    for (const row of body.rows) {
      const text = words.length ? row.textContent.toLowerCase() : "";
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
      all += 1;
    }
  }
  count.textContent = words.length ? `${shown} of ${all} rows` : "";
}

function sorting(table) {
  const [column, way] = choice(`sort.${table.id}`).split(" ");
  return way ? [Number(column), way] : [-1, ""];
}

/** Put the rows of a table in the chosen order. */
function arrange(table) {
  const [column, way] = sorting(table);
  const heads = [...table.tHead.rows].at(-1).cells;
  [...heads].forEach((head, index) => {
    if (index === column) head.setAttribute("aria-sort", way === "up" ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
  for (const body of table.tBodies) {
    const rows = [...body.rows].map((row) => ({ row, key: way ? sortKey(row.cells[column]) : order.get(row) }));
    rows.sort((one, other) => {
      const empty = (one.key === "") - (other.key === "");
      return empty || (way === "down" ? -1 : 1) * compare(one.key, other.key) || order.get(one.row) - order.get(other.row);
    });
    body.append(...rows.map(({ row }) => row));
  }
}

/** What a cell is sorted by: its number where it is one, or else its text. */
function sortKey(cell) {
  const text = (cell?.dataset.key ?? cell?.textContent ?? "").trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

const words = new Intl.Collator(undefined, { numeric: true });

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one === typeof other) return words.compare(one, other);
  return typeof one === "number" ? -1 : 1; // numbers before words
}

onAddress(() => {
  for (const table of document.querySelectorAll("table.sortable")) {
    arrange(table);
    table.refilter?.();
  }
});
