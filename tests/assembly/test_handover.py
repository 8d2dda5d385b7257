"""Closed loops inside a sequence: each has its part, its clock and its evaluations."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrsched.assembly.kinds import spec_of
from lrsched.assembly.scheduler import build_scheduler
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler

RUN = Horizon(steps=10, steps_per_epoch=2)


def node(*parts: tuple[str, dict[str, Any]], **shared: Any) -> dict[str, Any]:
    return {
        "_target_": "lrsched.schedules.Sequence",
        "parts": [{"length": length, "schedule": schedule} for length, schedule in parts],
        **shared,
    }


LINE = {"_target_": "lrsched.schedules.Linear", "final": 0.5}
PLATEAU = {"_target_": "lrsched.schedulers.Plateau", "patience": 0, "factor": 0.5}


def made(config: dict[str, Any]) -> tuple[Scheduler, torch.optim.Optimizer]:
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    return build_scheduler(spec_of(component(SCHEDULER, config, "scheduler")), sgd, RUN, 10), sgd


def course(scheduler: Scheduler, sgd: torch.optim.Optimizer, first: int = 0, last: int = 10) -> list[float]:
    """The rate of each update; an evaluation after each finds that nothing gets better."""
    seen = []
    for step in range(first, last):
        scheduler.set(step)
        seen.append(sgd.param_groups[0]["lr"])
        scheduler.observe(step + 1, {"val/loss": 1.0})
    return seen


def test_a_plateau_between_two_lines() -> None:
    # Its first evaluation, after its own first update, is its best; each later one cuts.
    between = node(("2st", LINE), ("4st", PLATEAU), ("rest", LINE))
    assert course(*made(between)) == [2.0, 1.5, 2.0, 2.0, 1.0, 0.5, 2.0, 1.75, 1.5, 1.25]


def test_a_plateau_after_the_warmup_of_the_sequence_and_to_the_end() -> None:
    config = node(("2st", LINE), ("rest", PLATEAU), warmup="2st")
    assert course(*made(config), last=12) == [1.0, 2.0] + [2.0, 1.5] + [2.0 * 0.5 ** max(0, i - 1) for i in range(8)]


def test_a_plateau_with_a_warmup_of_its_own() -> None:
    config = node(("5st", LINE), ("rest", {**PLATEAU, "warmup": "20%"}))  # 2 steps: 20 % of the whole run
    assert course(*made(config))[5:] == [1.0, 2.0, 2.0, 2.0, 1.0]


@pytest.mark.parametrize("stop", range(1, 10))
def test_state_goes_on_exactly(stop: int) -> None:
    config = node(("2st", LINE), ("4st", PLATEAU), ("rest", PLATEAU))
    whole = course(*made(config))
    first, sgd = made(config)
    course(first, sgd, last=stop)
    second, other = made(config)
    second.load_state_dict(first.state_dict())
    assert course(second, other, first=stop) == whole[stop:]


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({**PLATEAU, "factor": 2.0}, "scheduler.parts[1].schedule.factor=2.0: must lie between 0 and 1"),
        ({**PLATEAU, "pateince": 2}, "scheduler.parts[1].schedule.pateince=2: Plateau takes no such argument"),
        (
            {"_target_": "lrsched.schedules.Noise", "of": PLATEAU},
            "scheduler.parts[1].schedule.of._target_=lrsched.schedulers.Plateau: is stepped as the run goes",
        ),
        (
            {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 2},
            "scheduler.parts[1].schedule._target_=torch.optim.lr_scheduler.StepLR: is stepped as the run goes",
        ),
    ],
)
def test_messages(schedule: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(node(("5st", LINE), ("rest", schedule)))
    assert said in str(caught.value)
