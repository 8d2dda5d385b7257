// A plot by keyboard: left and right move the cursor, up and down choose the line that is read out, + − 0 zoom.

const FAR = 10; // points that the cursor moves with Shift

function listenToKeys(plot) {
  plot.at = null; // index of the cursor
  plot.surface.addEventListener("keydown", (event) => {
    if (!plot.chart || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keyed(plot, event);
    if (!act) return;
    event.preventDefault();
    act();
  });
  plot.surface.addEventListener("blur", () => plot.chart?.setCursor({ left: -10, top: -10 }));
}

function keyed(plot, { key, shiftKey }) {
  const far = shiftKey ? FAR : 1;
  const around = () => plot.chart.data[0][plot.at] ?? (plot.chart.scales.x.min + plot.chart.scales.x.max) / 2;
  return {
    ArrowRight: () => move(plot, far),
    ArrowLeft: () => move(plot, -far),
    Home: () => move(plot, -Infinity),
    End: () => move(plot, Infinity),
    ArrowUp: () => (turn(plot, -1), move(plot, 0)),
    ArrowDown: () => (turn(plot, 1), move(plot, 0)),
    "+": () => zoomBy(plot, 0.5, around()),
    "=": () => zoomBy(plot, 0.5, around()),
    "-": () => zoomBy(plot, 2, around()),
    0: () => zoom(plot.group, null),
    Escape: () => zoom(plot.group, null),
  }[key];
}

/** The columns of the chart that can be read out, in order. */
function readable(plot) {
  return plot.chart.series.flatMap((line, i) => (line.of >= 0 ? [i] : []));
}

function turn(plot, by) {
  const columns = readable(plot);
  const now = columns.findIndex((i) => plot.chart.series[i].of === plot.reading);
  const next = (Math.max(now, 0) + by + columns.length) % columns.length;
  plot.reading = plot.chart.series[columns[next]]?.of ?? -1;
}

/** Move the cursor by points that the line has, within what is zoomed to, and say where it is. */
function move(plot, by) {
  const { chart } = plot;
  const columns = readable(plot);
  const column = columns.find((i) => chart.series[i].of === plot.reading) ?? columns[0];
  if (column === undefined) return;
  const { min, max } = chart.scales.x;
  const known = [];
  chart.data[0].forEach((x, i) => x >= min && x <= max && chart.data[column][i] != null && known.push(i));
  if (!known.length) return;
  const later = known.findIndex((i) => i >= plot.at);
  const now = plot.at === null ? (by > 0 ? -1 : known.length) : later < 0 ? known.length - 1 : later;
  const next = Math.max(0, Math.min(known.length - 1, now + by));
  plot.at = known[next];
  plot.reading = chart.series[column].of;
  const [x, y] = [chart.data[0][plot.at], chart.data[column][plot.at]];
  chart.setCursor({ left: chart.valToPos(x, "x"), top: chart.valToPos(y, "y") });
  const { name } = plot.panel.lines.find((line) => line.number === plot.reading);
  speak(`${plot.panel.x.label} ${shown(x)}, ${name}: ${shown(y, plot.panel.y.unit)}`);
}
