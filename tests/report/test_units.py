"""Every task's report speaks of its own metrics: unit and direction come from the result, never from a name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from lrsched.errors import ConfigError
from lrsched.report import compare_paths, sweep_table
from lrsched.report.json import numbers
from lrsched.tasks.binary import Binary
from lrsched.tasks.classification import Classification
from lrsched.tasks.language_model import LanguageModel
from lrsched.tasks.regression import Regression
from lrsched.tasks.segmentation import Segmentation
from lrsched.tasks.task import Task, units_of


@dataclass(frozen=True, kw_only=True)
class Own(Task):
    """A task of a user's own, with a metric that looks like another one and long names."""

    better: ClassVar = {"loss": "min", "inaccuracy": "min", "mean_absolute_percentage_error": "min", "hits": "max"}
    units: ClassVar = {"inaccuracy": "degrees", "mean_absolute_percentage_error": "%"}

    def loss(self, model, batch):
        raise NotImplementedError


TASKS: dict[str, tuple[Task, dict[str, str]]] = {
    "classification": (Classification(), {}),
    "regression": (Regression(), {"unit": "1000 USD"}),
    "picture": (Regression(range=255.0), {}),
    "language_model": (LanguageModel(vocabulary=256), {}),
    "segmentation": (Segmentation(), {}),
    "binary": (Binary(), {}),
    "own": (Own(), {}),
}


@pytest.fixture
def swept(leave: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A sweep of a task: three schedules, six seeds, each metric measured on both parts."""

    def make(task: Task, facts: Mapping[str, str], monitor: str) -> Path:
        for place, schedule in enumerate(("Cosine", "WarmupStableDecay", "OneCycle")):
            for seed in range(6):
                metrics = {
                    f"{part}/{name}": 0.5 + place / 10 + seed / 50 + number / 7
                    for number, name in enumerate(task.better)
                    for part in ("val", "test")
                }
                folder = leave(schedule, 0.1, seed, metrics=metrics, checkpoint__monitor=monitor, checkpoint__mode=None)
                file = folder / "result.json"
                said = {"better": dict(task.better), "units": units_of(task, facts)}
                file.write_text(json.dumps(json.loads(file.read_text()) | said))
        return tmp_path / "sweep"

    return make


@pytest.mark.parametrize(
    ("kind", "metric"), [(kind, name) for kind, (task, _) in TASKS.items() for name in task.better]
)
def test_at_80_columns_there_is_the_metric_and_another_one(swept, kind: str, metric: str) -> None:
    task, facts = TASKS[kind]
    folder = swept(task, facts, f"val/{metric}")
    text = sweep_table(folder, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(piece in text for piece in re.split(r"(?<=[/_])", f"val/{metric}")), "broken at its joints alone"
    assert f"val/{metric} ± sd" in text or len(metric) > 12
    others = [name for name in task.better if name != metric and f"test/{name}" in text]
    assert others, text
    units = units_of(task, facts)
    for name in (metric, others[0]):
        if units.get(name, "%") != "%":
            assert f"({units[name]})" in text
    assert ("points" in text) == (units.get(metric) == "%"), text
    best = text.split("* ")[1].split()[0]
    assert best == ("onecycle" if task.better[metric] == "max" else "cosine")
    (workload,) = numbers(compare_paths([folder]))["workloads"]
    assert workload["unit"] == units.get(metric, "")
    assert workload["units"] == units


@pytest.mark.parametrize("kind", ["regression", "segmentation", "binary"])
@pytest.mark.parametrize("width", [80, 200])
def test_every_metric_of_the_test_part_is_there(swept, kind: str, width: int) -> None:
    task, facts = TASKS[kind]
    text = sweep_table(swept(task, facts, "val/loss"), width)
    assert max(map(len, text.splitlines())) <= width
    assert all(f"test/{name}" in text for name in task.better if name != "loss" and name != "psnr"), text


def test_money_has_no_decimals(leave: Callable[..., Path], tmp_path: Path) -> None:
    """18,533.0524 and 18,534.9476: their mean 18,534 and their deviation 1.34 in whole units."""
    for seed, value in enumerate((18533.0524, 18534.9476)):
        leave("Cosine", 0.1, seed, metrics={"val/loss": 12.34567, "test/mae": value})
    text = sweep_table(tmp_path)
    assert "18534 ± 1\n" in text
    assert "12.35 ± 0.00" in text


def test_a_name_tells_nothing(leave: Callable[..., Path], tmp_path: Path) -> None:
    """Of a metric that no task speaks of, neither unit nor direction is known, whatever it is called."""
    for seed, value in enumerate((0.25, 0.5)):
        leave("Cosine", 0.1, seed, metrics={"val/loss": 1.0, "val/my_accuracy": value})
    with pytest.raises(ConfigError, match="--metric=val/my_accuracy: no result says whether more of it is better"):
        compare_paths([tmp_path], "val/my_accuracy")
    assert "37.50" not in sweep_table(tmp_path)
    assert "val/my_accuracy" in sweep_table(tmp_path)


def test_a_result_of_0_1_0_is_read_as_it_was(leave: Callable[..., Path], tmp_path: Path) -> None:
    for seed, value in enumerate((0.25, 0.5)):
        leave("Cosine", 0.1, seed, metrics={"val/loss": 1.0, "test/accuracy": value})
    assert "37.50 ± 17.68%" in sweep_table(tmp_path)
    assert "val/loss ± sd  seeds" in sweep_table(tmp_path)
    assert compare_paths([tmp_path], "test/accuracy").metric.mode == "max"


def test_runs_that_have_measured_nothing_are_listed(leave: Callable[..., Path], tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status=None, checkpoint__monitor="val/covered", checkpoint__mode=None)
    assert "unfinished" in sweep_table(tmp_path)


@pytest.mark.parametrize("unit", [3, "a\nb", "x" * 17])
def test_a_unit_is_a_word(unit: object) -> None:
    with pytest.raises(ConfigError, match=r"(?s)dataset\.unit=.*: is the unit of (mae|rmse): a printable word"):
        units_of(Regression(), {"unit": unit})
