// What the figures show: from the page's two blocks of JSON to panels of lines.
// A panel: {title, x: {label, bare}, y: {label, unit, log}, sync, span, lines}. A line: {name, number, x, y, low, high, runs}.

const DRAWN = 12; // candidates that are drawn at first; the others where asked for

let data = { workloads: [], axes: [] };
let runs = [];

function readData() {
  const read = (id, otherwise) => {
    const block = document.getElementById(id);
    return block ? JSON.parse(block.textContent) : otherwise;
  };
  data = read("lrs-data", { workloads: [], axes: [] });
  runs = read("lrs-runs", []);
}

/** The panels of a figure; none for one whose static picture stays. */
function panelsOf(figure) {
  const workload = data.workloads[Number(figure.closest("[data-workload]")?.dataset.workload)];
  return workload && figure.dataset.plot === "curves" ? curves(figure, workload) : [];
}

/** The metrics that a figure of curves can show. */
function metricsOf(figure) {
  const workload = data.workloads[Number(figure.closest("[data-workload]").dataset.workload)];
  return workload.metrics.map(({ name }) => name).filter((name) => !name.startsWith("lr/"));
}

/** The metric that a figure of curves shows: the reader's, or else Python's. */
function metricOf(figure) {
  const chosen = choice(`metric.${figure.id}`);
  return metricsOf(figure).includes(chosen) ? chosen : figure.dataset.metric;
}

function curves(figure, workload) {
  const metric = metricOf(figure);
  const shared = { sync: `steps.w${data.workloads.indexOf(workload)}`, span: stepsOf(workload) };
  const panel = (name, last) => ({
    ...shared,
    x: { label: "step", bare: !last },
    title: `${workload.name}: ${name}`,
    y: { label: name, unit: workload.metrics.find((one) => one.name === name)?.unit ?? "" },
    lines: linesOf(workload, name),
  });
  const rate = figure.dataset.rate;
  const panels = rate ? [panel(metric, false), panel(rate, true)] : [panel(metric, true)];
  panels[0].y.log = spread(panels[0].lines) > 10;
  return panels;
}

/** The first and the last step of a workload's curves: all its panels show the same steps. */
function stepsOf(workload) {
  const axes = new Set(workload.candidates.flatMap(({ bands }) => Object.values(bands).map(({ axis }) => axis)));
  const ends = [...axes].map((axis) => [data.axes[axis][0], data.axes[axis].at(-1)]);
  const [first, last] = [Math.min(...ends.map(([low]) => low)), Math.max(...ends.map(([, high]) => high))];
  return last > first ? [first, last] : [first - 1, first + 1];
}

function linesOf(workload, metric) {
  const of = data.workloads.indexOf(workload);
  return workload.candidates.flatMap((candidate, number) => {
    const band = candidate.bands[metric];
    if (!band) return [];
    const singles = runs.filter((run) => run.workload === of && run.candidate === number && run.series[metric]);
    return {
      name: candidate.name,
      number,
      x: data.axes[band.axis],
      y: band.mean,
      low: band.low,
      high: band.high,
      runs: () => singles.map((run) => single(run, metric, run.lr === candidate.lr)),
      count: singles.length,
    };
  });
}

function single(run, metric, best) {
  const packed = run.series[metric];
  return { name: run.label, x: data.axes[packed.axis], y: unpack(packed), best };
}

/** By how much the largest of the positive values exceeds the least; 0 where some are not positive. */
function spread(lines) {
  let [low, high] = [Infinity, 0];
  for (const line of lines) {
    for (const value of line.low ?? line.y) low = Math.min(low, value ?? Infinity);
    for (const value of line.high ?? line.y) high = Math.max(high, value ?? 0);
  }
  return low > 0 ? high / low : 0;
}
