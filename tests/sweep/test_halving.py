"""Successive halving: who goes on is decided after a cooldown, and nothing is trained twice."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.helpers.cli import TINY

RATES = ("0.003", "0.03", "0.3", "3.0")
SWEEP = (
    "-m",
    "hydra/sweeper=halving",
    "hydra.sweeper.eta=2",
    "hydra.sweeper.cooldown=0.5",
    *TINY,
    "trainer.epochs=4",  # 24 updates: rungs at 6, 12 and 24
    "trainer.log_every=1st",
    "model.dropout=0.1",
    "logger=none",
    "name=sweep",
    f"optimizer.lr={','.join(RATES)}",
)
POOL = "hydra/launcher=pool"  # the default


def runs() -> dict[str, Path]:
    """The run folders by their learning rate."""
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    rate = {job["run_id"]: item for job in jobs for item in job["overrides"] if item.startswith("optimizer.lr=")}
    return {item.partition("=")[2]: Path("outputs/sweep", run_id) for run_id, item in rate.items()}


def metric(folder: Path) -> float:
    return json.loads((folder / "result.json").read_text())["metrics"]["val/loss"]


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_the_best_half_goes_on_after_each_rung_and_the_winner_is_an_undisturbed_run(
    run_cli, once, launcher: str
) -> None:
    ended = once(*SWEEP, f"hydra/launcher={launcher}")
    assert ended.code == 0, ended.err
    folders = runs()
    results = {rate: json.loads((folder / "result.json").read_text()) for rate, folder in folders.items()}
    assert sorted(result["step"] for result in results.values()) == [6, 6, 12, 24]

    def cooled(rate: str, rung: int) -> float:
        copy = Path("outputs/sweep/.rungs", folders[rate].name, str(rung))
        rates = [json.loads(line).get("lr/default") for line in (copy / "metrics.jsonl").read_text().splitlines()]
        updates = [value for value in rates if value is not None]
        assert len(updates) == rung + rung // 2
        assert updates[-1] < updates[rung - 1]  # it was cooled down
        return metric(copy)

    first = sorted(RATES, key=lambda rate: cooled(rate, 6))
    second = sorted(first[:2], key=lambda rate: cooled(rate, 12))
    assert {rate for rate in RATES if results[rate]["step"] >= 12} == set(first[:2])
    winner = second[0]
    assert results[winner]["status"] == "finished"
    record = json.loads(Path("outputs/sweep/sweep.json").read_text())
    assert record["steps_asked"] == 4 * 24
    assert record["steps_trained"] == 4 * 6 + 2 * 6 + 12 + 4 * 3 + 2 * 6  # the runs, and the cooldowns of their copies
    jobs = {job["run_id"]: job for job in record["jobs"]}
    assert len(jobs) == 4
    assert sorted(path.name for path in Path("outputs/sweep").iterdir() if path.is_dir()) == [".rungs", *sorted(jobs)]
    assert jobs[folders[winner].name]["status"] == "finished"
    assert jobs[folders[first[3]].name]["reason"] == "ranked 4 of 4 at step 6"
    assert jobs[folders[second[1]].name]["reason"] == "ranked 2 of 2 at step 12"

    options = [item for item in SWEEP[4:] if not item.startswith(("optimizer.lr=", "name="))]
    alone = run_cli(*options, f"optimizer.lr={winner}", "name=alone", "threads=1")
    assert alone.code == 0, alone.err
    assert alone.result("alone")["weights_sha256"] == results[winner]["weights_sha256"]
    assert Path("outputs/alone/metrics.jsonl").read_bytes() == (folders[winner] / "metrics.jsonl").read_bytes()


PLATEAU_LATER = (
    "scheduler=sequence",
    "scheduler.parts=[{schedule: {_target_: lrsched.schedules.Linear}, length: 25%}, "
    "{schedule: {_target_: lrsched.schedulers.Plateau, patience: 0}, length: rest}]",
)


@pytest.mark.parametrize(
    "scheduler",
    [
        ("scheduler=torch/OneCycleLR", "scheduler.interval=step", "scheduler.total_steps=auto"),
        pytest.param(PLATEAU_LATER, marks=pytest.mark.slow),
    ],
    ids=["a length of auto", "a closed loop in a sequence"],
)
def test_what_runs_live_is_ranked_a_little_further_on_its_own_plan(run_cli, scheduler: tuple[str, ...]) -> None:
    ended = run_cli(*SWEEP, *scheduler, "optimizer.lr=0.003,0.3", "hydra/launcher=basic")
    assert ended.code == 0, ended.err
    ranked = {rate: metric(Path("outputs/sweep/.rungs", folder.name, "12")) for rate, folder in runs().items()}
    results = {rate: json.loads((folder / "result.json").read_text()) for rate, folder in runs().items()}
    assert {rate for rate, result in results.items() if result["step"] == 24} == {min(ranked, key=ranked.__getitem__)}
    for rate, folder in runs().items():
        copy, run = (
            [row["lr/default"] for row in map(json.loads, path.read_text().splitlines()) if "lr/default" in row]
            for path in (Path("outputs/sweep/.rungs", folder.name, "12", "metrics.jsonl"), folder / "metrics.jsonl")
        )
        assert len(copy) == 18
        assert results[rate]["step"] == 12 or copy == run[:18]


def test_seeds_go_on_together_by_their_mean(run_cli) -> None:
    rates = ("0.03", "0.3")
    sweep = [item for item in SWEEP if not item.startswith("optimizer.lr=")]
    ended = run_cli(*sweep, f"optimizer.lr={','.join(rates)}", "seed=0,1,2")
    assert ended.code == 0, ended.err
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    folders = {rate: [job["run_id"] for job in jobs if f"optimizer.lr={rate}" in job["overrides"]] for rate in rates}
    scores = {
        rate: [metric(Path("outputs/sweep/.rungs", run_id, "12")) for run_id in run_ids]
        for rate, run_ids in folders.items()
    }
    best = min(rates, key=lambda rate: sum(scores[rate]))
    steps = {rate: {_step(run_id) for run_id in run_ids} for rate, run_ids in folders.items()}
    assert steps == {rate: {24 if rate == best else 12} for rate in rates}
    assert {job["reason"] for job in jobs} == {"", "ranked 2 of 2 at step 12"}
    assert "dropped by successive halving" in ended.out


def test_a_choice_of_which_a_seed_diverges_is_ranked_last(run_cli) -> None:
    sweep = [item for item in SWEEP if not item.startswith("optimizer.lr=")]
    ended = run_cli(*sweep, "optimizer.lr=0.03,1e30", "optimizer.momentum=0", "optimizer.nesterov=false", "seed=0,1")
    assert ended.code == 1
    assert "step 12: 1 of 2 go on: optimizer.lr=0.03" in ended.err
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == ["finished", "finished", "failed", "failed"]
    assert all("NotFinite" in job["reason"] for job in jobs[2:])


def test_where_no_choice_ends_its_cooldown_nothing_is_ranked(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrsched.sweep.sweepers.halving.score", lambda job, copy: math.inf)
    sweep = [item for item in SWEEP if not item.startswith("optimizer.lr=")]
    ended = run_cli(*sweep, "optimizer.lr=0.03,0.3")
    assert ended.code == 0, ended.err
    assert (
        "step 12: nothing can be ranked, for no choice has a val/loss; the first in order go on: optimizer.lr=0.03"
        in ended.err
    )
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert [job["reason"] for job in jobs] == ["", "not ranked, like all others, at step 12"]


def _step(run_id: str) -> int:
    return json.loads(Path("outputs/sweep", run_id, "result.json").read_text())["step"]


def test_the_same_command_again_trains_nothing(run_cli, once) -> None:
    assert once(*SWEEP, POOL).code == 0
    before = {path: path.read_bytes() for path in Path("outputs").rglob("metrics.jsonl")}
    assert len(before) == 4 + 4 + 2  # the runs, and the copies of two rungs
    again = run_cli(*SWEEP)
    assert again.code == 0, again.err
    assert {path: path.read_bytes() for path in Path("outputs").rglob("metrics.jsonl")} == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("hydra.sweeper.eta=1", "hydra.sweeper.eta=1: must be at least 2"),
        ("hydra.sweeper.cooldown=0", "hydra.sweeper.cooldown=0: is a part of the steps done"),
        ("hydra.sweeper.eta=x", "hydra.sweeper.eta=x: must be a whole number"),
        ("hydra.sweeper.etta=2", "hydra.sweeper.etta: there is no such key; did you mean 'hydra.sweeper.eta'?"),
        ("sweep.until=3", "sweep.until=3: a halving pauses its runs at its rungs; leave it out"),
        ("trainer.epochs=2,3", "trainer.steps=[12,18]: the runs of a halving have one length"),
    ],
)
def test_what_cannot_be_halved_is_refused(run_cli, override: str, message: str) -> None:
    ended = run_cli(*SWEEP, override)
    assert ended.code == 2
    assert message in ended.err
    assert not list(Path("outputs").glob("*"))


def test_runs_that_are_beyond_a_rung_are_ranked_as_if_they_stood_there(run_cli, once) -> None:
    assert once(*SWEEP, POOL).code == 0
    scores = {path.parent.relative_to("outputs/sweep"): metric(path.parent) for path in _copies("sweep")}
    grid = [item for item in SWEEP if not item.startswith(("hydra", "name="))]
    assert run_cli(*grid, "name=whole").code == 0  # all to the end
    ended = run_cli(*SWEEP, "name=whole")
    assert ended.code == 0, ended.err
    assert {path.parent.relative_to("outputs/whole"): metric(path.parent) for path in _copies("whole")} == scores
    assert "ranked last" not in ended.err
    jobs = json.loads(Path("outputs/whole/sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == ["skipped"] * 4  # what is finished is not called dropped
    assert len(list(Path("outputs").iterdir())) == 2  # and no folder beside those of the sweeps


def _copies(name: str) -> list[Path]:
    return sorted(Path("outputs", name, ".rungs").glob("*/*/result.json"))


def test_a_sweep_can_be_paused_and_goes_on_without(run_cli) -> None:
    grid = ("-m", *TINY, "name=sweep", "seed=0,1")
    ended = run_cli(*grid, "sweep.until=5")
    assert ended.code == 0, ended.err
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert [(job["status"], job["reason"]) for job in jobs] == [("stopped", "paused at step 5 of 12")] * 2
    assert run_cli(*grid).code == 0
    assert [job["status"] for job in json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]] == [
        "finished"
    ] * 2


def test_a_halving_of_which_no_run_is_left_ends(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.dying_model")
    ended = run_cli(*SWEEP, "trainer.epochs=8", "model._target_=tests.helpers.dying_model.Mortal", "+model.death=raise")
    assert ended.code == 2  # the user's own code raised it
    assert "4 of 4 runs did not finish" in ended.err
