// What stands above and below a plot: its buttons, its legend with the values under the cursor, its values to be read.

function drawTools(plot) {
  const press = (name, chosen) => () => {
    choose(`${name}.${plot.id}`, chosen);
    plot.draw();
    plot.tools.querySelector(`[data-tool="${name}"]`)?.focus();
  };
  const tools = [];
  for (const axis of ["x", "y"]) {
    if (!plot.canBeLog(axis) || (axis === "x" && plot.said.sync)) continue;
    const log = plot.log(axis);
    const flipped = log === Boolean(plot.said[axis].log) ? (log ? "linear" : "log") : "";
    const made = toggle(`log ${axis}`, log, press(`${axis}axis`, flipped));
    made.dataset.tool = `${axis}axis`;
    tools.push(made);
  }
  if (plot.hasRuns) {
    const made = toggle("single runs", plot.single, press("runs", plot.single ? "" : "single"));
    made.dataset.tool = "runs";
    tools.push(made);
  }
  if (zoomed(plot.group)) tools.push(button("reset zoom", () => (zoom(plot.group, null), plot.surface.focus())));
  plot.tools.replaceChildren(...tools);
}

function drawLegend(plot) {
  const hidden = chosenWords("hide");
  plot.where = element("span", { class: "where" });
  plot.outputs = plot.said.series.map(() => element("span", { class: "value" }));
  const items = plot.said.series.map((line, of) => {
    const press = () => {
      const names = chosenWords("hide");
      if (!names.delete(line.name)) names.add(line.name);
      chooseWords("hide", names);
      redrawAll();
      plot.legend.querySelectorAll("button")[of]?.focus();
    };
    const made = toggle("", !hidden.has(line.name), press);
    made.append(swatch(line), line.name);
    return element("span", { class: "item" }, made, plot.outputs[of]);
  });
  plot.legend.replaceChildren(...items, plot.where);
}

/** A piece of the line, in its colour and with its dashes. */
function swatch(line) {
  const name = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(name, "svg");
  for (const [key, value] of Object.entries({ width: 28, height: 8, "aria-hidden": "true" })) picture.setAttribute(key, value);
  const stroke = document.createElementNS(name, "line");
  const parts = { x1: 0, y1: 4, x2: 28, y2: 4, "stroke-width": 2, "stroke-dasharray": dashOf(line.dash).join(" ") };
  for (const [key, value] of Object.entries(parts)) stroke.setAttribute(key, value);
  stroke.style.stroke = `var(--c${(line.color ?? 0) % 10})`;
  picture.append(stroke);
  return picture;
}

/** A table for who cannot see the plot. */
function drawValues(plot) {
  const cells = (tag, texts, attributes) => texts.map((text) => element(tag, attributes, text));
  const head = element("tr", {}, ...cells("th", ["", "first", "last", "lowest", "highest"], { scope: "col" }));
  const rows = plot.said.series.map((line) => {
    const known = line.y.filter((value) => value != null);
    const ends = known.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const texts = [known[0], known.at(-1), ...ends].map(shown);
    return element("tr", {}, element("th", { scope: "row" }, line.name), ...cells("td", texts));
  });
  const caption = element("caption", {}, `${plot.said.title}: ${plot.said.y.label}`);
  plot.lines.replaceChildren(element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows)));
}
