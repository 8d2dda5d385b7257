// Scales and axes of a plot: linear or logarithmic, with ticks that one can read on both.

/** Ticks of a logarithmic axis: powers of ten, with 2 and 5 between where there is room; linear within a decade. */
function logTicks(min, max, room) {
  const decades = Math.log10(max / min);
  if (decades < 1) return linearTicks(min, max, room);
  const every = Math.max(1, Math.ceil(decades / room));
  const within = decades * 3 <= room ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    if (power % every) continue;
    for (const digit of within) ticks.push(Number(`${digit}e${power}`));
  }
  return ticks.filter((tick) => tick >= min * 0.999 && tick <= max * 1.001);
}

function linearTicks(min, max, room) {
  const raw = (max - min) / Math.max(1, room);
  if (!(raw > 0)) return [min];
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((digit) => digit * unit).find((width) => width >= raw * 0.999);
  const ticks = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** A scale of uPlot with some room; that of x is set by the zoom. */
function scaleOf(log, pad) {
  return { time: false, distr: log ? 3 : 1, range: (_, min, max) => padded(min, max, log, pad) };
}

function padded(min, max, log, pad) {
  if (min == null || max == null) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const over = Math.max((max / min) ** pad, min === max ? 2 : 1);
    return [min / over, max * over];
  }
  const over = min === max ? Math.abs(min) / 2 || 1 : (max - min) * pad;
  return [min - over, max + over];
}

function axisOf(said, log, side, size) {
  const text = said.unit && said.unit !== "%" ? `${said.label} (${said.unit})` : said.label;
  const room = side === 2 ? (u) => u.bbox.width / devicePixelRatio / 70 : (u) => u.bbox.height / devicePixelRatio / 36;
  return {
    side,
    label: said.bare ? undefined : text,
    labelSize: 18,
    size,
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    stroke: () => colour("--ink"),
    grid: { stroke: () => colour("--faint"), width: 1 },
    ticks: { show: false },
    splits: (u, _, min, max) => (log ? logTicks : linearTicks)(min, max, room(u)),
    filter: (_, ticks) => ticks,
    values: (_, ticks) => ticks.map((tick) => shown(tick, said.unit)),
  };
}
