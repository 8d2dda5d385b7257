"""What lies beside runs: what a sweep cost, those that go on among it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lrsched.page import beside
from lrsched.report.runs import RunRecord


def job(run_id: str, status: str | None, trained: int) -> dict[str, Any]:
    return {"run_id": run_id, "overrides": [run_id], "status": status, "steps_asked": 10, "steps_trained": trained}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """One run has ended, one goes on, one took over four steps and goes on, one waits."""
    jobs = [job("done", "finished", 10), job("on", None, 0), job("forked", None, 0), job("waits", None, 0)]
    content = {"jobs": jobs, "steps_asked": 40, "steps_trained": 10, "wall_seconds": 1.0}
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    for name, rows in {
        "on": '{"step": 3}\n{"step": 6, "train/loss": 0.5}\n{"step": 7, "trai',
        "forked": '{"step": 4}\n{"step": 9}\n',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(rows)
    (tmp_path / "forked" / "timing.jsonl").write_text('{"event": "fork", "step": 4, "source": "done"}\n')
    return tmp_path


def test_runs_that_go_on_count_what_they_have_trained(sweep: Path) -> None:
    (cost,) = beside.costs([sweep])
    assert {one.run_id: (one.taken, one.trained) for one in cost.jobs} == {
        "done": (0, 10),
        "on": (0, 6),
        "forked": (4, 5),
        "waits": (0, 0),
    }
    assert (cost.trained, cost.asked) == (21, 40)


def test_who_reads_the_runs_knows_better(sweep: Path) -> None:
    """A page that follows the rows knows the step that a run has reached."""
    (cost,) = beside.costs([sweep], [RunRecord(sweep / "on", {}, "unfinished", "", step=8)])
    assert [one.trained for one in cost.jobs if one.run_id == "on"] == [8]
    assert cost.trained == 23


@pytest.mark.parametrize("rows", ["", "no row\n", "[1]\n", '{"epoch": 1}\n', '{"step": "x"}\n'])
def test_rows_that_say_no_step_count_none(sweep: Path, rows: str) -> None:
    (sweep / "on" / "metrics.jsonl").write_text(rows)
    (cost,) = beside.costs([sweep])
    assert cost.trained == 15


def test_the_rows_of_a_link_are_not_read(sweep: Path) -> None:
    (sweep / "on" / "metrics.jsonl").rename(sweep / "elsewhere")
    (sweep / "on" / "metrics.jsonl").symlink_to(sweep / "elsewhere")
    (cost,) = beside.costs([sweep])
    assert cost.trained == 15
