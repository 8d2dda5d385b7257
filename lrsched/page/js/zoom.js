// Zoom along x: by dragging, by the wheel with Ctrl or ⌘, by keys. Plots that share their steps zoom together.

/** The reader's own limits of a group of plots: [min, max], or null for everything. */
function zoomed(group) {
  const limits = choice(`zoom.${group}`).split(":").map(Number);
  return limits.length === 2 && limits[0] < limits[1] ? limits : null;
}

function zoom(group, limits) {
  choose(`zoom.${group}`, limits ? limits.map((limit) => Number(limit.toPrecision(6))).join(":") : "");
  rezoom(group);
}

function rezoom(group) {
  for (const plot of plotsOf(group)) {
    plot.chart.setScale("x", plot.shownSpan());
    drawTools(plot);
  }
}

/** Zoom by a factor around a value of x; a factor above 1 shows more. */
function zoomBy(plot, factor, around) {
  const [to, from] = plot.log("x") ? [Math.log, Math.exp] : [Number, Number];
  const { min, max } = plot.chart.scales.x;
  const [low, middle, high] = [to(min), to(around), to(max)];
  const full = plotsOf(plot.group).map((other) => other.span);
  const least = Math.min(...full.map(([first]) => first));
  const most = Math.max(...full.map(([, last]) => last));
  const limits = [from(middle - (middle - low) * factor), from(middle + (high - middle) * factor)];
  const within = [Math.max(least, limits[0]), Math.min(most, limits[1])];
  zoom(plot.group, within[0] <= least && within[1] >= most ? null : within);
}

function listenToWheel(plot) {
  const turn = (event) => {
    if (!(event.ctrlKey || event.metaKey) || !plot.chart) return; // a wheel alone scrolls the page
    event.preventDefault();
    const left = event.clientX - plot.chart.over.getBoundingClientRect().left;
    zoomBy(plot, event.deltaY > 0 ? 1.25 : 0.8, plot.chart.posToVal(left, "x"));
  };
  plot.surface.addEventListener("wheel", turn, { passive: false });
}
