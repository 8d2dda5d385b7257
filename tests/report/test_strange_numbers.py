"""Files that anybody may have written: what is no number, or no count, is passed over or refused, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lrsched
from lrsched.errors import CheckpointError
from lrsched.page import beside
from lrsched.page.page import page
from lrsched.records import RunFolder
from lrsched.report.pictures.courses import draw_courses
from lrsched.report.read import read_runs
from lrsched.report.report import compare_runs
from lrsched.runs.steps import forked_at, trained_here
from lrsched.watch.follow import Followed

STRANGE = (
    "Infinity",
    "-Infinity",
    "NaN",
    "1e400",
    "-1",
    "1" + "0" * 400,
    "1" + "0" * 25,
    "1.5",
    '"7"',
    "true",
    "[1]",
    "{}",
)
NUMBERS = ("-1", "1" + "0" * 25, "1.5")
"""Of these, what is a number all the same."""

Leave = Callable[..., Path]
FIRST = '{"step": 3, "val/loss": 0.5, "train/loss": 0.5}\n'


def lines(folder: Path, *more: str) -> Path:
    (folder / "metrics.jsonl").write_text(FIRST + "".join(f"{line}\n" for line in more))
    return folder


@pytest.mark.parametrize("step", STRANGE)
def test_rows_end_where_a_step_is_none(step: str, leave: Leave, tmp_path: Path) -> None:
    folder = lines(
        leave("Cosine", 0.1, 0, 0.5), f'{{"step": {step}, "val/loss": 0.25}}', '{"step": 9, "val/loss": 0.1}'
    )
    (run,) = read_runs([tmp_path])
    assert [row["step"] for row in run.rows()] == [3]
    followed = Followed(RunFolder(folder).metrics, 10)
    followed.update()
    assert (followed.step, followed.latest()) == (3, {"val/loss": 0.5})
    with pytest.raises(CheckpointError, match=r"metrics.jsonl: line 2 is no row of a run, with a step from 0 on; put"):
        _ = lrsched.load(folder).rows
    lines(folder, f'{{"step": {step}}}')
    assert beside._last_step(RunFolder(folder).metrics) == 0
    (folder / "timing.jsonl").write_text(f'{{"event": "fork", "step": {step}, "source": "other"}}\n')
    assert forked_at(RunFolder(folder)) is None
    assert beside._fork(folder)[0] == 0


@pytest.mark.parametrize("value", STRANGE)
def test_what_is_no_number_is_no_value(value: str, leave: Leave, tmp_path: Path) -> None:
    folder = lines(leave("Cosine", 0.1, 0, 0.5), f'{{"step": 6, "val/loss": {value}}}')
    wanted = [0.5, float(json.loads(value))] if value in NUMBERS else [0.5]
    (run,) = read_runs([tmp_path])
    assert [float(row["val/loss"]) for row in run.rows() if "val/loss" in row] == wanted
    assert lrsched.load(folder).rows.series("val/loss")[1].tolist() == wanted
    followed = Followed(RunFolder(folder).metrics, 10)
    followed.update()
    assert followed.step == 6
    assert followed.latest()["val/loss"] == wanted[-1]


@pytest.mark.parametrize("row", ["7", "null", "[1]", '"step"', "{}", "[" * 100_000])
def test_a_line_that_is_no_row_ends_them(row: str, leave: Leave, tmp_path: Path) -> None:
    folder = lines(leave("Cosine", 0.1, 0, 0.5), row)
    (run,) = read_runs([tmp_path])
    assert [dict(each)["step"] for each in run.rows()] == [3]
    with pytest.raises(CheckpointError, match="line 2 is no row"):
        _ = lrsched.load(folder).rows


@pytest.mark.parametrize("count", STRANGE)
def test_a_result_and_the_records_beside_it(count: str, leave: Leave, tmp_path: Path) -> None:
    folder = lines(leave("Cosine", 0.1, 0, 0.5))
    other = lines(leave("Step", 0.1, 0, 0.5))
    result = '{"status": "finished", "step": %s, "metrics": {"val/loss": 0.5, "test/loss": %s}}'
    (folder / "result.json").write_text(result % (count, "0.5"))
    (other / "result.json").write_text(result % ("12", count))
    assert trained_here(RunFolder(folder)) == 0
    job: dict[str, Any] = {"run_id": folder.name, "overrides": [], "status": None}
    told = json.dumps({"jobs": [{**job, "steps_asked": 7, "steps_trained": 7}], "steps_asked": 7, "wall_seconds": 7})
    (folder.parent / "sweep.json").write_text(told.replace(": 7", f": {count}"))
    candidate = '{"lr": %s, "horizon": %s, "seed": %s, "loss": %s}'
    usual, strange = candidate % ("0.1", "10", "0", "0.5"), [candidate % tuple(four) for four in _one_each(count)]
    answer = f'{{"method": "grid", "suggestion": {count}, "candidates": [{", ".join([usual, *strange])}]}}'
    (folder.parent / "find.json").write_text(answer)
    runs = read_runs([folder.parent])
    assert next(run for run in runs if run.path == folder).step is None
    (cost,) = beside.costs([folder.parent], runs)
    assert 0 <= cost.seconds < 10**26
    assert (cost.asked, cost.trained, cost.jobs[0].asked) == (0, 0, 0)
    report = compare_runs(runs, None, None, None)
    assert "</html>" in page(report, [folder.parent])


def _one_each(count: str) -> list[list[str]]:
    usual = ["0.1", "10", "0", "0.5"]
    return [[*usual[:place], count, *usual[place + 1 :]] for place in range(4)]


@pytest.mark.slow
def test_pictures_are_drawn_of_what_can_be(leave: Leave, tmp_path: Path) -> None:
    for seed, row in enumerate(("[1]", '{"step": [1], "val/loss": 0.2}', '{"step": 6, "val/loss": "x"}')):
        lines(leave("Cosine", 0.1, seed, 0.5), row)
    (comparison,) = compare_runs(read_runs([tmp_path]), None, None, None).comparisons
    assert draw_courses(comparison, "courses.png").startswith(b"\x89PNG")
