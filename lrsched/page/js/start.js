// The start: tables at once, for they are there; plots when their numbers are unpacked and they come near the screen.

const near = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      for (const plot of panelsOf(target)) if (!plot.chart) plot.draw();
    }
  },
  { rootMargin: "800px" },
);

function json(id) {
  const block = document.getElementById(id);
  return block && JSON.parse(block.textContent);
}

async function startPlots(within) {
  const block = document.getElementById("numbers");
  const packed = block ? await unpack(block.textContent) : new Float32Array(0);
  for (const figure of within.querySelectorAll("figure[data-plot]")) {
    const said = json(`plot-${figure.dataset.plot}`);
    if (said) startPlot(figure, [said].flat(), packed);
  }
}

/** Put the panels of a figure, one or several below each other, in the place of its picture. */
function startPlot(figure, panels, packed) {
  const place = element("div", { class: "panels" });
  figure.querySelector("svg").after(place);
  panels.forEach((said, i) => {
    const id = figure.dataset.plot + (i ? `.${i}` : "");
    plots.set(id, new Plot(figure, id, place, said, packed));
  });
  near.observe(figure);
}

function panelsOf(figure) {
  return [...plots.values()].filter((plot) => plot.figure === figure);
}

function redrawAll() {
  for (const plot of plots.values()) if (plot.chart) plot.draw();
}

startTables(document);
document.documentElement.classList.add("sorts");
startPlots(document).then(() => document.documentElement.classList.add("live"));
onTheme(redrawAll);
onAddress(redrawAll);
