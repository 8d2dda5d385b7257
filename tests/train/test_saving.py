"""How often a run saves where nobody says it."""

from __future__ import annotations

import itertools
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

from lrsched.records import read_rows
from tests.helpers.cli import TINY


def test_a_hundredth_of_the_time_goes_into_saving(run_cli, monkeypatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("lrsched.train.loop.time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    ended = run_cli(*TINY, "trainer.steps=700", "trainer.evaluate_every=100%", "name=run")
    assert ended.code == 0, ended.err
    rows = list(read_rows(Path("outputs/run/timing.jsonl")))
    took = [row["seconds"] for row in rows if row["event"] == "save"]
    at = [row["seconds"] for row in rows if row["event"] == "update"]  # the first update after each save
    between = [after - before for before, after in pairwise(at)]
    assert len(between) >= 5
    for gap, save in zip(between, took, strict=False):
        assert 100 * save <= gap <= 105 * save
