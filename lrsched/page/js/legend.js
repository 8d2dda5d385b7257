// What stands above and below a plot: its switches, and its legend with the values under the cursor.

function drawTools(plot) {
  const { id, figure } = plot;
  const first = id === figure.id;
  const tools = [];
  if (first && figure.dataset.plot === "curves") {
    const metrics = metricsOf(figure);
    const chosen = (metric) => choose(`metric.${id}`, metric === figure.dataset.metric ? "" : metric);
    if (metrics.length > 1) tools.push(select(`metric.${id}`, "metric", metrics.map((name) => [name, name]), metricOf(figure), chosen));
    const kinds = [["", "mean and band"], ["single", "single runs"], ["all", "runs at all rates"]];
    const counted = plot.panel.lines.reduce((sum, line) => sum + line.count, 0);
    if (counted) tools.push(select(`runs.${id}`, "draw", kinds, plot.singles, (kind) => choose(`runs.${id}`, kind)));
  }
  for (const axis of ["x", "y"]) {
    if (!plot.canBeLog(axis) || (axis === "x" && plot.panel.sync)) continue;
    const log = plot.log(axis);
    const other = log ? "linear" : "log";
    const said = plot.panel[axis].log ? "log" : "linear";
    const made = toggle(`log ${axis}`, log, () => choose(`${axis}axis.${id}`, other === said ? "" : other));
    tools.push(named(made, `${axis}axis.${id}`));
  }
  if (first && zoomed(plot.group)) tools.push(named(button("reset zoom", () => (zoom(plot.group, null), plot.surface.focus())), "reset"));
  const same = tools.length === plot.tools.children.length && tools.every((tool, i) => tool.isEqualNode(plot.tools.children[i]));
  if (!same) replace(plot.tools, tools); // one that is open stays open

  /** A switch whose press draws the figure again. */
  function toggle(text, pressed, press) {
    return button(text, () => (press(), redraw(figure)), { "aria-pressed": String(pressed) });
  }

  function select(name, label, options, value, chosen) {
    const field = named(element("select"), name);
    for (const [key, text] of options) field.append(element("option", { value: key, ...(key === value && { selected: "" }) }, text));
    field.addEventListener("change", () => (chosen(field.value), redraw(figure)));
    return element("label", {}, `${label} `, field);
  }
}

function named(made, name) {
  made.dataset.tool = name;
  return made;
}

/** Put other elements into a box; what had the keyboard's focus has it again. */
function replace(box, children) {
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.tool : undefined;
  box.replaceChildren(...children);
  if (focused !== undefined) box.querySelector(`[data-tool="${CSS.escape(focused)}"]`)?.focus();
}

function drawKeys(plot) {
  plot.where = element("span", { class: "where" });
  plot.outputs = new Map();
  const items = plot.panel.lines.map((line) => {
    const set = line.number < DRAWN ? "hide" : "show";
    const press = () => {
      const names = chosenWords(set);
      if (!names.delete(line.name)) names.add(line.name);
      chooseWords(set, names);
      redrawAll();
    };
    const made = named(button("", press, { "aria-pressed": String(isShown(line)) }), line.name);
    made.append(swatch(line.number), line.name);
    plot.outputs.set(line.number, element("span", { class: "value" }));
    return element("span", { class: "item" }, made, plot.outputs.get(line.number));
  });
  replace(plot.keys, [...items, plot.where]);
}

/** A piece of a candidate's line, in its colour and with its dashes. */
function swatch(number) {
  const make = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const picture = make("svg", { width: 28, height: 8, "aria-hidden": "true" });
  const ends = { x1: 0, y1: 4, x2: 28, y2: 4, "stroke-width": 2, "stroke-dasharray": dashOf(number).join(" ") };
  picture.append(make("line", { ...ends, class: `c${number % COLOURS}`, stroke: "var(--c)" }));
  return picture;
}
