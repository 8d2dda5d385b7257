"""How large the page of a report is, how long it takes to write, and how soon a reader can sort in it.

    python benchmarks/page.py --rounds 5

Folders of runs are made by hand: schedules × rates × seeds, each with the same number of rows. The page is written by
a process of its own, ``lrsched report --html``. A browser opens it from disk, and a script in it presses the head of a
column as soon as the table takes presses; the time until the rows have moved is counted from the start of the
navigation. Needs a Chromium (``nox -s browser``).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SCHEDULES = ("Cosine", "Linear", "WSD", "Step", "Polynomial")

CONFIG = {
    "seed": 0,
    "name": "x",
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9},
    "scheduler": {"_target_": "lrsched.schedules.Cosine"},
    "model": {"_target_": "lrsched.models.MLP", "hidden": [128]},
    "dataset": {"_target_": "lrsched.data.Digits", "batch_size": 64},
    "trainer": {"steps": 1000},
    "checkpoint": {"monitor": "val/loss", "mode": "min"},
}

PRESS = """
window.handled = 0;
const look = () => {
  const head = document.querySelector("#runs-table thead th:nth-child(3) button");
  if (!head) return requestAnimationFrame(look);
  head.click();
  const rates = [...document.querySelectorAll("#runs-table tbody tr")].map((row) => Number(row.cells[2].dataset.key));
  if (rates.some((rate, i) => i && rate < rates[i - 1])) throw new Error("not sorted");
  window.handled = performance.now();
};
document.addEventListener("readystatechange", look, { once: true });
"""


def make_runs(folder: Path, runs: int, points: int, evaluations: int = 20) -> None:
    """A sweep's folder with so many finished runs of so many updates."""
    draw = random.Random(0)
    rates = (0.01, 0.03, 0.1, 0.3)
    for number in range(runs):
        schedule, lr = SCHEDULES[number % 5], rates[number // 5 % 4]
        seed = number // 20
        run = folder / f"scheduler-{schedule.lower()}_optimizer.lr-{lr}_seed-{seed}-{number:08x}"
        run.mkdir(parents=True)
        config = json.loads(json.dumps(CONFIG))
        config["scheduler"]["_target_"] = f"lrsched.schedules.{schedule}"
        config["optimizer"]["lr"], config["seed"] = lr, seed
        (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        level = 0.2 + abs(math.log10(lr / 0.1)) / 4 + draw.random() / 10
        lines = []
        for step in range(points):
            loss = level + 2 * math.exp(-step / 150) + draw.gauss(0, 0.02)
            rate = lr * (1 + math.cos(math.pi * step / points)) / 2
            lines.append(json.dumps({"step": step, "epoch": step / 50, "train/loss": loss, "lr/default": rate}))
            if (step + 1) % (points // evaluations) == 0:
                done = {"step": step + 1, "val/loss": loss, "val/accuracy": 1 - loss / 4}
                lines.append(json.dumps(done))
        (run / "metrics.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        metrics = {"val/loss": level, "val/accuracy": 1 - level / 4, "test/loss": level, "test/accuracy": 1 - level / 4}
        end = {"status": "finished", "ended": "finished", "reason": "", "step": points, "metrics": metrics}
        better, units = {"loss": "min", "accuracy": "max"}, {"loss": "nats", "accuracy": "%"}
        (run / "result.json").write_text(json.dumps({**end, "better": better, "units": units}), "utf-8")


def write(folder: Path, file: Path) -> float:
    """Write the page; return the processor's seconds, for other processes may have the machine too."""
    start = spent()
    command = [sys.executable, "-m", "lrsched", "report", str(folder), "--html", str(file)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return spent() - start


def spent() -> float:
    """Seconds of the processor that ended children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sorted_after(file: Path, rounds: int) -> list[float]:
    """Seconds from the start of the navigation until a sort was handled, each time in a new context."""
    from tests.helpers.browser import chromium

    seconds = []
    with chromium() as browser:
        for _ in range(rounds):
            context = browser.new_context()
            page = context.new_page()
            page.add_init_script(
                PRESS.replace("look();\n", "addEventListener('readystatechange', look, {once: true});\n")
            )
            page.goto(file.as_uri(), wait_until="commit")
            page.wait_for_load_state()
            while not (handled := page.evaluate("window.handled")):
                page.wait_for_timeout(20)
            seconds.append(handled / 1000)
            context.close()
    return seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--runs", type=int, nargs="+", default=[100, 1000])
    arguments.add_argument("--points", type=int, default=1000)
    options = arguments.parse_args()
    sys.path.insert(0, str(ROOT))
    titles = "| runs × points | MB | written in, s of the processor | a sort is handled after, s | quartiles | n |"
    print(f"{titles}\n|---|---|---|---|---|---|")
    for runs in options.runs:
        with tempfile.TemporaryDirectory() as scratch:
            folder, file = Path(scratch, "sweep"), Path(scratch, "report.html")
            make_runs(folder, runs, options.points)
            written = write(folder, file)
            seconds = sorted_after(file, options.rounds)
            low, middle, high = statistics.quantiles(seconds, n=4)
            size = file.stat().st_size / 1e6
            label = f"{runs:,} × {options.points:,}"
            print(
                f"| {label} | {size:.2f} | {written:.1f} | **{middle:.2f}** | {low:.2f}–{high:.2f} | {len(seconds)} |"
            )


if __name__ == "__main__":
    main()
