"""Regret of ``find.method=range`` where the best rate is known: noisy quadratics, 2,000 steps, linear decay.

Each repetition is the command itself, three ramps of 100 updates with seeds of its own. The regret is the exact
expected final loss at a suggestion over that at the best rate, minus 1.

    python benchmarks/find_range.py --repeats 10
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np

from lrsched.cli.find import main as find
from lrsched.data.quadratic import REGIMES, Quadratic
from lrsched.finder.ramps.suggest import SUGGESTIONS

STEPS, BATCH, SEEDS = 2000, 4, 3


def suggested(regime: str, repeats: int) -> dict[str, list[float]]:
    """The suggestions of each repetition, by name."""
    found: dict[str, list[float]] = {name: [] for name in SUGGESTIONS}
    for number in range(repeats):
        words = ["experiment=noisy_quadratic", f"dataset.regime={regime}", "method=range", f"find.seeds={SEEDS}"]
        words += [f"seed={SEEDS * number}", f"name={regime}{number}", "threads=1", "logger=none"]
        with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
            code = find(words)
        if code:
            raise SystemExit(said.getvalue())
        answer = json.loads(Path("outputs", f"{regime}{number}", "find.json").read_text("utf-8"))
        for name, rate in answer["suggestions"].items():
            found[name].append(rate)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    decay = 1 - np.arange(STEPS) / STEPS
    grid = np.geomspace(1e-3, 2.0, 120)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for regime in REGIMES:
            problem = Quadratic.of(regime)
            best = np.nanmin(problem.expected(decay[:, None] * grid, BATCH).loss[-1])
            for name, rates in suggested(regime, options.repeats).items():
                regret = problem.expected(decay[:, None] * np.array(rates), BATCH).loss[-1] / best - 1
                low, middle, high = np.percentile(rates, [0, 50, 100])
                print(
                    f"| {regime} | {name} | {low:.2g}–{high:.2g} | {middle:.2g} | {100 * np.median(regret):.1f} % "
                    f"| {100 * regret.max():.0f} % | {len(rates)} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
