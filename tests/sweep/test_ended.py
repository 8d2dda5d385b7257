"""``ended`` and ``why``: what result.json and sweep.json say of each way in which a run can end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lrsched.sweep.processes import Pool
from tests.helpers.cli import TINY, Ended

DIVERGING = ("optimizer.lr=1e30", "optimizer.momentum=0", "optimizer.nesterov=false")
EARLY = ("trainer.epochs=50", "trainer.early_stop.patience=2", "trainer.early_stop.threshold=10.0")
MORTAL = ("model._target_=tests.helpers.dying_model.Mortal", "+model.death=raise")


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.dying_model")


def jobs(ended: Ended) -> list[dict[str, Any]]:
    return json.loads((ended.cwd / "outputs" / "sweep" / "sweep.json").read_text())["jobs"]


def said(ended: Ended) -> list[tuple[str | None, str | None, str | None]]:
    """Status, end and why of each job."""
    return [(job["status"], job["ended"], job["why"]) for job in jobs(ended)]


@pytest.mark.parametrize(
    ("status", "end", "why", "overrides"),
    [
        ("finished", "finished", None, ()),
        ("finished", "early", None, EARLY),
        ("stopped", "paused", "paused", ("sweep.until=5",)),
        ("failed", "diverged", None, DIVERGING),
        ("failed", "error", None, MORTAL),
    ],
)
@pytest.mark.parametrize("launcher", ["pool", pytest.param("basic", marks=pytest.mark.slow)])
def test_a_run_and_its_job_say_the_same(run_cli, status: str, end: str, why: str, overrides, launcher: str) -> None:
    ended = run_cli("-m", *TINY, *overrides, "name=sweep", "logger=none", "seed=0", f"hydra/launcher={launcher}")
    assert said(ended) == [(status, end, why)]
    result = json.loads(Path("outputs/sweep", jobs(ended)[0]["run_id"], "result.json").read_text())
    assert (result["status"], result["ended"]) == (status, end)
    assert "why" not in result  # it is the sweep's


def test_what_is_skipped_says_how_it_ended(run_cli) -> None:
    sweep = ("-m", *TINY, "name=sweep", "logger=none", "seed=0")
    assert run_cli(*sweep, *EARLY).code == 0
    assert said(run_cli(*sweep, *EARLY)) == [("skipped", "early", None)]


def test_a_config_that_cannot_be_used_is_an_error(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "logger=none", "optimizer.lr=-1,0.1")
    assert said(ended) == [("failed", "error", None), ("finished", "finished", None)]


@pytest.mark.parametrize("how", ["sweep.jobs=1", "hydra/launcher=basic"])
def test_what_fail_fast_leaves_out_was_not_begun(run_cli, how: str) -> None:
    options = ("optimizer.lr=1e30,0.1", *DIVERGING[1:], "sweep.fail_fast=true", how)
    ended = run_cli("-m", *TINY, "name=sweep", "logger=none", *options)
    assert said(ended) == [("failed", "diverged", None), ("stopped", None, "not_begun")]


def test_a_process_that_was_killed_is_an_error(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "logger=none", "seed=0", MORTAL[0], "+model.death=kill")
    assert said(ended) == [("failed", "error", None)]


def test_what_halving_left_behind_is_paused_and_was_dropped(run_cli) -> None:
    options = ("hydra/sweeper=halving", "hydra.sweeper.eta=2", "trainer.epochs=4", "optimizer.lr=0.03,0.003")
    ended = run_cli("-m", *TINY, *options, "name=sweep", "logger=none")
    assert ended.code == 0, ended.err
    assert sorted(said(ended)) == [("finished", "finished", None), ("stopped", "paused", "dropped")]


def test_a_signal_ends_the_run_under_way_and_the_next_is_not_begun(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Pool._watch

    def watch(self: Pool, child: Any) -> Any:
        if list(Path("outputs/sweep").glob("*/checkpoints/step-*6")):
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, child)

    monkeypatch.setattr(Pool, "_watch", watch)
    options = ("seed=0,1", "sweep.jobs=1", "checkpoint.every=1ep", "trainer.epochs=2000")
    ended = run_cli("-m", *TINY, *options, "name=sweep", "logger=none")
    assert ended.code == 128 + 15, ended.err
    assert said(ended) == [("stopped", "signal", None), ("stopped", None, "not_begun")]
    result = json.loads(Path("outputs/sweep", jobs(ended)[0]["run_id"], "result.json").read_text())
    assert (result["status"], result["ended"]) == ("stopped", "signal")
