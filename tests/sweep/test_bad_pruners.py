"""Pruners that cannot judge are refused before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.studies import STUDY, some_slow

optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")

BAD_PRUNERS: list[Any] = [
    (
        ("pruner=medain",),
        "hydra.sweeper.pruner=medain: must be one of none, median, hyperband; did you mean 'median'",
    ),
    (("pruner=median", "rungs=0"), "hydra.sweeper.rungs=0: must be at least 1"),
    (
        ("rungs=2",),
        "hydra.sweeper.rungs=2: there is no pruner that judges trials at them; give hydra.sweeper.pruner=",
    ),
    (
        ("pruner=median", "rungs=2"),
        "hydra.sweeper.rungs=2: a run of 12 steps has evaluations for 1 rung of median; give at most 1, or eval",
    ),
    (
        ("pruner=hyperband", "rungs=3", "eta=2", "trainer.evaluate_every=3st"),
        "hydra.sweeper.rungs=3: a run of 12 steps has evaluations for 2 rungs of hyperband; give at most 2, or ",
    ),
    (
        ("pruner=median", "trainer.evaluate_every=2ep"),
        "hydra.sweeper.pruner=median: judges trials at evaluations, and a run of 12 steps has none before its end",
    ),
    (
        ("pruner=median", "trainer.epochs=2,3"),
        "trainer.steps=[12,18]: the trials of a study with a pruner have one length: they are judged at the same",
    ),
    (
        ("pruner=median", "trainer.evaluate_every=3st,6st"),
        "trainer.evaluate_every=[3st,6st]: the trials of a study with a pruner have the same evaluations",
    ),
    (("pruner=hyperband", "eta=1"), "hydra.sweeper.eta=1: must be at least 2"),
    (("pruner=median", "n_startup_trials=0"), "hydra.sweeper.n_startup_trials=0: must be at least 1"),
    (
        ("pruner=median", "checkpoint.monitor=val/los"),
        "checkpoint.monitor=val/los: is no metric of an evaluation; did you mean 'val/loss'?",
    ),
    (
        ("pruner=median", "checkpoint.monitor=test/loss"),
        "checkpoint.monitor=test/loss: is no metric of an evaluation",
    ),
    (
        ("search_space=my.module.f",),
        "hydra.sweeper.search_space: there is no such key; did you mean 'hydra.sweeper.custom_search_space'?",
    ),
]


@pytest.mark.parametrize(
    ("words", "message"), some_slow(BAD_PRUNERS, lambda case: "rung" in case[1] or "none before" in case[1])
)
def test_a_pruner_that_cannot_judge_is_refused_and_leaves_nothing(run_cli, words, message: str) -> None:
    options = [word if "." in word.partition("=")[0] else f"hydra.sweeper.{word}" for word in words]
    ended = run_cli(*STUDY, "optimizer.lr=interval(0.1,0.2)", *options)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("lrsched: ") == 1
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()
