// The start: tables at once, for they are there; a figure's plots when it comes near the screen.

const figures = new Map(); // the plots of each figure

const near = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) if (isIntersecting && !figures.get(target).drawn) redraw(target);
  },
  { rootMargin: "800px" },
);

/** Have each figure with panels drawn; figures that are gone, or have other panels now, are forgotten. */
function startFigures() {
  for (const [figure, own] of figures) if (!figure.isConnected || panelsOf(figure).length !== own.length) stop(figure, own);
  for (const figure of document.querySelectorAll("figure.plot")) {
    const panels = panelsOf(figure);
    if (!panels.length || figures.has(figure)) continue;
    const own = panels.map((_, i) => new Plot(figure, figure.id + (i ? `.${i}` : "")));
    const box = element("div", { class: "panels", "data-made": "" }, ...own.flatMap((plot) => [plot.tools, plot.surface, plot.keys]));
    figure.querySelector(".drawn").after(box);
    for (const plot of own) plots.set(plot.id, plot);
    figures.set(figure, own);
    near.observe(figure);
  }
}

function stop(figure, own) {
  near.unobserve(figure);
  for (const plot of own) {
    plot.chart?.destroy();
    plots.delete(plot.id);
  }
  figure.querySelector(".panels")?.remove();
  figure.classList.remove("live");
  figures.delete(figure);
}

/** Draw a figure from what the page holds and the reader chose. */
function redraw(figure) {
  const own = figures.get(figure);
  panelsOf(figure).forEach((panel, i) => own[i]?.draw(panel));
  own.drawn = true;
  figure.classList.add("live");
}

function redrawAll() {
  for (const [figure, own] of figures) if (own.drawn) redraw(figure);
}

startTables();
readData();
startFigures();
onTheme(redrawAll);
onAddress(redrawAll);
startWatching();
