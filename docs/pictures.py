"""Draw the pictures of the README: ``python docs/pictures.py`` writes docs/pictures/*.png.

The first shows four schedules and their phases, the second a sweep over four schedules and three seeds,
which is trained on the spot, in about a minute. Needs ``pip install -e ".[plot]"``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image  # comes with matplotlib

from lrsched.horizon import Horizon
from lrsched.records import RunFolder, read_rows
from lrsched.schedules import WSD, Cosine, OneCycle, Schedule, Step

ROOT = Path(__file__).resolve().parent.parent
STYLE = Path(__file__).with_suffix(".mplstyle")
SHOWN: dict[str, tuple[type[Schedule], dict[str, Any]]] = {
    "cosine": (Cosine, {"warmup": "15%"}),
    "step": (Step, {"gamma": 0.5}),
    "wsd": (WSD, {"warmup": "15%", "decay": "25%"}),
    "onecycle": (OneCycle, {}),
}
# Small batches: with large ones the digits are learned before any schedule has fallen.
SWEEP = f"-m scheduler={','.join(SHOWN)} seed=0,1,2 dataset.batch_size=16"
NEUTRAL = "name=sweep device=cpu threads=1 logger=none trainer.log_every=1st trainer.progress=false"
COLOURS = {"cosine": "#785EF0", "step": "#D55E00", "wsd": "#009E73", "onecycle": "#AA4499"}  # apart to every eye


def draw_schedules(path: Path, steps: int = 1000) -> None:
    """Four schedules over a run of ``steps`` steps: a panel each, under its overrides, split into its phases."""
    with rc_context(fname=STYLE):
        figure = Figure(figsize=(8, 4.4), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for axes, (name, (schedule, options)) in zip(panels.flat, SHOWN.items(), strict=True):
            plan = schedule(**options).plan(Horizon(steps=steps))
            axes.plot(plan.table(), color=COLOURS[name], clip_on=False)
            axes.fill_between(range(steps), plan.table(), color=COLOURS[name], alpha=0.1, linewidth=0)
            axes.vlines(plan.starts[1:], 0, 1.2, color="0.4", linewidth=0.6, linestyle=(0, (2, 3)))
            for start, part in zip(plan.starts, plan.parts, strict=True):
                axes.text(start + steps / 80, 1.09, part.name, size=8)
            axes.set(xlim=(0, steps), ylim=(0, 1.2), yticks=(0, 0.5, 1))
            overrides = "".join(f" scheduler.{key}={value}" for key, value in options.items())
            axes.set_title(f"scheduler={name}{overrides}", family="monospace", size=7.5)
        figure.supxlabel("step")
        figure.supylabel("multiple of the peak")
        save(figure, path)


def draw_sweep(path: Path, sweep: Path) -> None:
    """What each schedule of a sweep's folder set, and what came of it."""
    runs = {name: [RunFolder(run) for run in sorted(sweep.glob(f"scheduler-{name}_seed-*/"))] for name in SHOWN}
    with rc_context(fname=STYLE):
        figure = Figure(figsize=(8, 3.5), layout="constrained")
        figure.suptitle(f"python train.py {SWEEP}", x=0.01, ha="left", family="monospace", size=7.5)
        rates, losses = figure.subplots(1, 2, sharex=True)
        draw_rates(rates, runs)
        draw_losses(losses, runs)
        save(figure, path)


def draw_rates(axes: Axes, runs: dict[str, list[RunFolder]]) -> None:
    """The learning rates, each with its name beside it: at a share of the run and a multiple of the peak."""
    beside = {"cosine": (0.34, 0.46), "step": (0.43, 0.12), "wsd": (0.53, 1.02), "onecycle": (0.64, 0.62)}
    for name, (first, *_) in runs.items():  # the seeds share them
        steps, rates = column(first, "lr/default")
        axes.plot(steps, rates, color=COLOURS[name], clip_on=False)
        axes.text(beside[name][0] * steps[-1], beside[name][1] * rates.max(), name, color=COLOURS[name])
        axes.set(title="learning rate", xlabel="step", xlim=(0, steps[-1] + 1), ylim=(0, 1.06 * rates.max()))


def draw_losses(axes: Axes, runs: dict[str, list[RunFolder]]) -> None:
    """The validation losses over the seeds, mean and range, and what the test says of the last weights."""
    axes.set(title="validation loss, mean and range", xlabel="step", yscale="log")
    axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_locator=NullLocator())
    ends = []
    for name, seeds in runs.items():
        curves = np.stack([column(run, "val/loss") for run in seeds])
        steps, losses = curves[0, 0], curves[:, 1]
        axes.plot(steps, losses.mean(0), color=COLOURS[name])
        axes.fill_between(steps, losses.min(0), losses.max(0), color=COLOURS[name], alpha=0.08, linewidth=0)
        test = 100 * np.array([(run.read_result() or {})["metrics"]["test/accuracy"] for run in seeds])
        ends.append((losses.mean(0)[-1], steps[-1], name, f"{name:8} {test.mean():.1f} ± {test.std(ddof=1):.1f}"))
    line = {"arrowstyle": "-", "color": "0.7", "linewidth": 0.6, "relpos": (0, 0.5)}
    font = {"family": "monospace", "size": 8, "va": "center"}
    for row, (loss, step, name, text) in enumerate(sorted(ends)):  # in the order in which the curves end
        place = (1.08, 0.06 + 0.09 * row)
        axes.annotate(text, (step, loss), place, "data", "axes fraction", line, color=COLOURS[name], **font)
    axes.text(1.08, 0.46, f"test accuracy, %\nmean ± std, n = {len(seeds)}", transform=axes.transAxes, size=8)


def column(run: RunFolder, name: str) -> NDArray[np.float64]:
    """Steps and values of one metric of a run, float64[2, rows]."""
    return np.array([(row["step"], row[name]) for row in read_rows(run.metrics) if name in row]).T


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, 1600 pixels wide, of 256 colours: a third of the bytes. Nothing in it tells when or by what."""
    figure.savefig(path, dpi=200, facecolor="white")
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    pictures = ROOT / "docs" / "pictures"
    draw_schedules(pictures / "schedules.png")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(ROOT / "train.py"), *f"{SWEEP} {NEUTRAL}".split()], cwd=folder, check=True)
        draw_sweep(pictures / "sweep.png", Path(folder) / "outputs" / "sweep")
