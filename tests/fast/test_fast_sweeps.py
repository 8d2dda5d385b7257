"""Sweeps with keys that are ``auto``: one run for each config, and one hash for each run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lrsched.compose.stored import read_config
from lrsched.fast import timing
from lrsched.fast.figures import MARGIN
from lrsched.records import RunFolder
from tests.helpers.cli import Ended

WORDS = ("-m", "model=mlp", "dataset=digits", "trainer.steps=1", "logger=none", "trainer.progress=false")


@pytest.fixture(autouse=True)
def _fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few updates, after which fp32 is taken, whatever the clock says."""
    monkeypatch.setattr(timing, "ROUNDS", 1)
    monkeypatch.setattr(timing, "LEAST", 0.0)
    monkeypatch.setitem(MARGIN, "precision", 0.0)


def runs(sweep: str) -> list[Path]:
    return sorted(path.parent for path in Path("outputs", sweep).glob("*/config.yaml"))


@pytest.mark.slow
def test_equal_configs_are_one_run(run_cli: Callable[..., Ended]) -> None:
    ended = run_cli(*WORDS, "trainer.precision=fp32,auto", "optimizer.lr=0.1,0.10", "name=s")
    assert ended.code == 0
    assert "3 jobs of 4 would repeat the run of another job" in ended.err
    (run,) = runs("s")
    assert len(json.loads(Path("outputs/s/sweep.json").read_text("utf-8"))["jobs"]) == 1
    assert read_config(RunFolder(run)).trainer.precision == "fp32"


def test_keys_that_read_what_is_chosen_have_the_same_value_in_the_hash(run_cli: Callable[..., Ended]) -> None:
    reads = "+optimizer.groups={a: {params: '${trainer.precision}|${threads}|.*bias', lr: 0.2}}"
    words = (*WORDS, "trainer.precision=auto", reads, "name=chosen")
    assert run_cli(*words).code == 0
    (run,) = runs("chosen")
    assert run.name[-8:] == json.loads((run / "result.json").read_text("utf-8"))["config_sha256"][:8]
    assert [path.name for path in Path("outputs").iterdir()] == ["chosen"]
    again = run_cli(*words)
    assert again.code == 0
    assert "1 run in outputs/chosen, 1 of them finished before" in again.err
