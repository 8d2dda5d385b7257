"""Halving and a study of a regression rank by the metric that its experiment names, in the target's units."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.studies import stored_study

pytestmark = pytest.mark.slow

RUN = ("experiment=diabetes", "trainer.epochs=3", "threads=1", "logger=none", "name=sweep", "trainer.progress=false")


def rmse(step: int) -> dict[str, float]:
    """The validation rmse of each run at a step, by its learning rate; written rows, no view of ours."""
    found = {}
    for job in json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]:
        rate = next(word.removeprefix("optimizer.lr=") for word in job["overrides"] if word.startswith("optimizer.lr="))
        lines = (Path("outputs/sweep") / job["run_id"] / "metrics.jsonl").read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if row["step"] == step and "val/rmse" in row]
        found[rate] = rows[0]["val/rmse"] if rows else float("inf")
    return found


def test_halving_lets_those_go_on_whose_rmse_is_least(run_cli) -> None:
    rates = ["0.0001", "0.001", "0.01", "0.03", "0.1", "1.0"]
    ended = run_cli("-m", *RUN, "hydra/sweeper=halving", f"optimizer.lr={','.join(rates)}")
    assert ended.code == 0, ended.err
    at_the_rung, at_the_end = rmse(10), rmse(30)
    assert len(set(at_the_rung.values())) == len(rates)
    assert sorted(at_the_rung, key=at_the_rung.__getitem__)[:2] == sorted(
        (rate for rate, value in at_the_end.items() if value < float("inf")), key=at_the_rung.__getitem__
    )
    assert all(30 < value < 300 for value in at_the_end.values() if value < float("inf"))  # points, not their squares
    assert "val/rmse" in ended.out


def test_a_study_is_told_the_rmse(run_cli) -> None:
    ended = run_cli("-m", *RUN, "hydra/sweeper=optuna", "optimizer.lr=interval(0.0005,0.1)", "hydra.sweeper.n_trials=4")
    assert ended.code == 0, ended.err
    trials, direction = stored_study()
    assert direction == "MINIMIZE"
    assert {str(trial.params["optimizer.lr"]): trial.value for trial in trials} == rmse(30)
    best = min(trials, key=lambda trial: trial.value)
    assert f"trial {best.number}:" in ended.err + ended.out
