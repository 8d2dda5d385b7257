// A plot: what Python said of it, drawn by uPlot in the place of its static picture.
// Everything that a reader chooses is drawn anew from the choices: a plot has no state of its own but its cursor.

const plots = new Map(); // by id

class Plot {
  /**
   * @param figure  the element that holds the static picture
   * @param id      of the plot: that of the figure, and behind a dot the number of a further panel
   * @param place   where the plot stands
   */
  constructor(figure, id, place, said, packed) {
    this.figure = figure;
    this.id = id;
    this.surface = element("div", { class: "surface", tabindex: "0", role: "application" });
    this.tools = element("div", { class: "tools" });
    this.legend = element("div", { class: "legend" });
    this.lines = element("div", { class: "unseen", id: `values-${this.id}` });
    this.surface.setAttribute("aria-details", figure.dataset.table ?? this.lines.id);
    this.chart = null;
    this.series = -1; // the one that the arrow keys read out
    this.take(said, packed);
    place.append(this.tools, this.surface, this.legend, this.lines);
    listenToKeys(this);
    listenToWheel(this);
    new ResizeObserver(() => this.resize()).observe(figure);
  }

  /** Take what Python says of the plot, now or again. */
  take(said, packed) {
    const numbers = (line) => ({
      ...line,
      x: numbersOf(line.x, packed),
      y: numbersOf(line.y, packed),
      low: line.low && numbersOf(line.low, packed),
      high: line.high && numbersOf(line.high, packed),
      runs: (line.runs ?? []).map(numbers),
    });
    this.said = { ...said, series: said.series.map(numbers) };
    this.group = said.sync ?? this.id;
    this.surface.setAttribute("aria-label", `${said.title}. Arrow keys move the cursor, plus and minus zoom, 0 resets.`);
  }

  /** Whether an axis is logarithmic: as the reader chose, or as Python said. */
  log(axis) {
    const chosen = choice(`${axis}axis.${this.id}`);
    return this.canBeLog(axis) && (chosen ? chosen === "log" : Boolean(this.said[axis].log));
  }

  canBeLog(axis) {
    return this.said.series.some((line) => line[axis].filter((value) => value > 0).length > 1);
  }

  get single() {
    return choice(`runs.${this.id}`) === "single";
  }

  get hasRuns() {
    return this.said.series.some((line) => line.runs.length);
  }

  /** The lines that are drawn, each with the number of its schedule in `said.series`. */
  drawn() {
    const hidden = chosenWords("hide");
    const lines = [];
    this.said.series.forEach((line, of) => {
      if (hidden.has(line.name)) return;
      if (this.single) for (const run of line.runs) lines.push({ ...run, of, color: line.color, dash: line.dash, thin: true });
      lines.push({ ...line, of });
    });
    return lines;
  }

  draw() {
    const lines = this.drawn();
    const { data, series, bands } = this.columns(lines);
    this.chart?.destroy();
    this.span = spanOf(data[0]);
    this.chart = new uPlot(this.options(series, bands), data, this.surface);
    this.chart.setScale("x", this.shownSpan());
    this.shownLines = lines;
    this.figure.classList.add("drawn");
    drawTools(this);
    drawLegend(this);
    drawValues(this);
  }

  /** What uPlot is given: one column of x, the columns of the lines, their bands. */
  columns(lines) {
    const [logX, logY] = [this.log("x"), this.log("y")];
    const series = [{}];
    const bands = [];
    const tables = lines.map((line) => {
      const keep = logX ? line.x.map((x) => x > 0) : null;
      const kept = (values) => (keep ? values.filter((_, i) => keep[i]) : values);
      const column = (values) => kept(logY ? values.map((value) => (value > 0 ? value : null)) : values);
      const solid = colourOf(line.color);
      const columns = [kept(line.x), column(line.y)];
      series.push({
        of: line.thin ? -1 : line.of,
        stroke: line.thin ? faint(solid, 0.45) : solid,
        width: line.thin ? 1 : 2,
        dash: line.thin ? [] : dashOf(line.dash),
        points: { show: Boolean(line.marks) || line.y.length === 1, size: 6, fill: solid, stroke: solid },
      });
      if (line.low && line.high && !this.single) {
        columns.push(column(line.high), column(line.low));
        bands.push({ series: [series.length, series.length + 1], fill: faint(solid, 0.18) });
        series.push(...[0, 1].map(() => ({ of: -1, stroke: "transparent", width: 0, points: { show: false } })));
      }
      return columns;
    });
    const data = tables.length ? uPlot.join(tables) : [[0, 1]];
    return { data, series, bands };
  }

  options(series, bands) {
    const [logX, logY] = [this.log("x"), this.log("y")];
    return {
      ...this.size(),
      series,
      bands,
      scales: { x: scaleOf(logX, () => null, 0), y: scaleOf(logY, () => null, 0.06) },
      axes: [axisOf(this.said.x, logX, 2, 34), axisOf(this.said.y, logY, 3, 58)],
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: {
        sync: this.said.sync ? { key: this.group, setSeries: false, filters: { pub: (type) => type.startsWith("mouse") && type !== "mousedown" && type !== "mouseup" } } : undefined,
        drag: { x: true, y: false, setScale: false },
        points: { show: (u, i) => (u.series[i].of >= 0 ? element("div", { class: "u-cursor-pt" }) : null) },
        bind: { dblclick: () => () => (zoom(this.group, null), null) },
      },
      hooks: {
        setCursor: [() => this.read()],
        setSelect: [(u) => this.select(u)],
      },
    };
  }

  /** Zoom to what was dragged over. */
  select(u) {
    const { left, width } = u.select;
    if (width > 4) zoom(this.group, [u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
    if (width > 0) u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  /** Show the values under the cursor. */
  read() {
    const { idxs, idx } = this.chart.cursor;
    const at = idx == null ? "" : `${this.said.x.label} ${shown(this.chart.data[0][idx])}`;
    this.where.textContent = at;
    this.chart.series.forEach((line, i) => {
      if (!(line.of >= 0)) return;
      const value = idx == null || idxs[i] == null ? null : this.chart.data[i][idxs[i]];
      this.outputs[line.of].textContent = value == null ? "" : shown(value);
    });
  }

  shownSpan() {
    const [min, max] = zoomed(this.group) ?? padded(...this.span, this.log("x"), this.said.sync ? 0 : 0.03);
    return { min, max };
  }

  size() {
    const width = Math.max(220, Math.floor(this.figure.clientWidth));
    return { width, height: Math.max(200, Math.min(360, Math.round(width * 0.5))) };
  }

  resize() {
    const { width, height } = this.size();
    if (this.chart && (this.chart.width !== width || this.chart.height !== height)) this.chart.setSize({ width, height });
  }
}

function spanOf(xs) {
  const known = xs.filter((x) => x != null);
  return known.length ? [known[0], known.at(-1)] : [0, 1];
}

/** The plots that share their steps. */
function plotsOf(group) {
  return [...plots.values()].filter((plot) => plot.group === group && plot.chart);
}
