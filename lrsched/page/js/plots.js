// A plot: a panel drawn by uPlot in the place of a static picture.
// Everything that a reader chooses is drawn anew from the choices: a plot has no state of its own but its cursor.

const plots = new Map(); // by id

class Plot {
  /**
   * @param figure  the element that holds the static picture
   * @param id      of the figure, and behind a dot the number of a further panel
   */
  constructor(figure, id) {
    this.figure = figure;
    this.id = id;
    this.chart = null;
    this.reading = -1; // the candidate that the arrow keys read out
    this.tools = element("div", { class: "tools" });
    this.surface = element("div", { class: "surface", tabindex: "0", role: "application" });
    this.keys = element("div", { class: "keys" });
    listenToKeys(this);
    listenToWheel(this);
    new ResizeObserver(() => this.resize()).observe(figure);
  }

  /** Whether an axis is logarithmic: as the reader chose, or as the panel says. */
  log(axis) {
    const chosen = choice(`${axis}axis.${this.id}`);
    return this.canBeLog(axis) && (chosen ? chosen === "log" : Boolean(this.panel[axis].log));
  }

  canBeLog(axis) {
    return this.panel.lines.some((line) => line[axis].filter((value) => value > 0).length > 1);
  }

  /** Which single runs are drawn: none, those at the best rate, or all. */
  get singles() {
    return choice(`runs.${this.figure.id}`);
  }

  /** The lines that are drawn: those of candidates that are not hidden, over those of their runs. */
  lines() {
    const shownLines = this.panel.lines.filter(isShown);
    const thin = (line) => {
      if (!this.singles || !line.runs) return [];
      const drawn = line.runs().filter((run) => run.best || this.singles === "all");
      return drawn.map((run) => ({ ...run, number: line.number, thin: true }));
    };
    return [...shownLines.flatMap(thin), ...shownLines];
  }

  draw(panel) {
    this.panel = panel;
    this.group = panel.sync ?? this.id;
    this.surface.setAttribute("aria-label", `${panel.title}. Arrow keys move the cursor, plus and minus zoom, 0 resets.`);
    const { columns, series, bands } = this.columns();
    const { left, top } = this.chart?.cursor ?? { left: -10, top: -10 };
    this.chart?.destroy();
    this.span = panel.span ?? [columns[0][0], columns[0].at(-1)];
    this.chart = new uPlot(this.options(series, bands), columns, this.surface);
    this.chart.setScale("x", this.shownSpan());
    drawTools(this);
    drawKeys(this);
    if (left >= 0) this.chart.setCursor({ left, top });
  }

  /** What uPlot is given: one column of x, the columns of the lines, their bands. */
  columns() {
    const [logX, logY] = [this.log("x"), this.log("y")];
    const series = [{}];
    const bands = [];
    const tables = this.lines().map((line) => {
      const kept = (values) => (logX ? values.filter((_, i) => line.x[i] > 0) : values);
      const column = (values) => kept(logY ? values.map((value) => (value > 0 ? value : null)) : values);
      const made = [kept(line.x), column(line.y)];
      series.push(seriesOf(line));
      if (line.low && line.high && !this.singles) {
        made.push(column(line.high), column(line.low));
        bands.push({ series: [series.length, series.length + 1], fill: faint(colourOf(line.number), 0.18) });
        series.push(...[0, 1].map(() => ({ of: -1, stroke: "transparent", width: 0, points: { show: false } })));
      }
      return made;
    });
    return { columns: tables.length ? uPlot.join(tables) : [[0, 1]], series, bands };
  }

  options(series, bands) {
    const [logX, logY] = [this.log("x"), this.log("y")];
    const { x, y, sync } = this.panel;
    return {
      ...this.size(),
      series,
      bands,
      scales: { x: scaleOf(logX, 0), y: scaleOf(logY, 0.06) },
      axes: [axisOf(x, logX, 2, 30), axisOf(y, logY, 3, 58)],
      legend: { show: false },
      padding: [8, 14, 0, 0],
      cursor: {
        sync: sync && { key: sync, setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false },
        points: { show: (u, i) => u.series[i].of >= 0 && element("div", { class: "u-cursor-pt" }) },
        bind: { dblclick: () => () => zoom(this.group, null) },
      },
      hooks: { setCursor: [() => this.read()], setSelect: [(u) => this.select(u)] },
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
    if (!this.chart || !this.outputs) return;
    const { idxs, idx } = this.chart.cursor;
    this.where.textContent = idx == null ? "" : `${this.panel.x.label} ${shown(this.chart.data[0][idx])}`;
    this.chart.series.forEach((line, i) => {
      if (!(line.of >= 0)) return;
      const value = idx == null || idxs[i] == null ? null : this.chart.data[i][idxs[i]];
      this.outputs.get(line.of).textContent = value == null ? "" : shown(value, this.panel.y.unit);
    });
  }

  shownSpan() {
    const [min, max] = zoomed(this.group) ?? padded(...this.span, this.log("x"), this.panel.sync ? 0 : 0.03);
    return { min, max };
  }

  size() {
    const width = Math.max(220, Math.floor(this.figure.clientWidth));
    const panels = figures.get(this.figure).length;
    return { width, height: Math.max(180, Math.min(340, Math.round(width * (panels > 1 ? 0.42 : 0.55)))) };
  }

  resize() {
    if (!this.chart) return;
    const { width, height } = this.size();
    if (this.chart.width !== width || this.chart.height !== height) this.chart.setSize({ width, height });
  }
}

function seriesOf(line) {
  const solid = colourOf(line.number);
  return {
    of: line.thin ? -1 : line.number,
    stroke: line.thin ? faint(solid, 0.45) : solid,
    width: line.thin ? 1 : 2,
    dash: line.thin ? [] : dashOf(line.number),
    points: { show: line.y.length === 1, size: 7, fill: solid, stroke: solid },
  };
}

/** Whether a candidate is drawn: the first few unless hidden, the others if asked for. */
function isShown({ name, number }) {
  return number < DRAWN ? !chosenWords("hide").has(name) : chosenWords("show").has(name);
}

/** The plots that share their steps. */
function plotsOf(group) {
  return [...plots.values()].filter((plot) => plot.group === group && plot.chart);
}
