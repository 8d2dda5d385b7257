"""Warnings and remedies: a rest at next to nothing, a cut cycle, a duration where a number is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from lrsched.assembly.extend import Past
from lrsched.assembly.kinds import OpenLoopSpec, instead_of_duration
from lrsched.assembly.lint import _cyclic, lint_rest
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER
from lrsched.horizon import Horizon

SPEC = OpenLoopSpec(component(SCHEDULER, {"_target_": "lrsched.schedules.Linear"}, "scheduler"))


def past(policy, at: int = 4) -> list[Past]:
    return [Past(Horizon(4), 1, at, policy)]


@pytest.mark.parametrize("policy", ["keep", "cooldown", "reanneal"])
def test_a_rest_at_next_to_nothing_is_warned_of(policy: str) -> None:
    rate = np.array([1.0, 0.5, 0.1, 1e-3, 1e-3, 1e-4])
    (said,) = lint_rest(SPEC, rate, past(policy))
    assert (
        f"trainer.on_extend={policy}: the last 2 steps of the run train at 0.001 or less, 0.001 of its highest" in said
    )


def test_no_warning_where_the_rest_has_a_rate_or_was_not_made_longer() -> None:
    low = np.array([1.0, 0.5, 0.1, 1e-3, 1e-3, 1e-4])
    assert (
        lint_rest(SPEC, low, []) == lint_rest(SPEC, low, past("stretch")) == lint_rest(SPEC, low, past("restart")) == []
    )
    assert lint_rest(SPEC, np.array([1.0, 0.5, 0.1, 0.02, 0.02, 0.02]), past("keep")) == []
    assert lint_rest(SPEC, low[:4], past("keep")) == []
    assert "the last step " not in str(lint_rest(SPEC, low[:5], past("keep", at=2)))
    assert "the last 1 step of the run" in str(lint_rest(SPEC, low[:5], past("keep", at=2)))


@pytest.mark.parametrize(
    ("up", "down", "n", "said"),
    [
        (2, None, 8, None),  # two whole cycles
        (2, None, 9, None),  # and their last value
        (2, None, 10, "in mid-cycle, after 2 of 4"),
        (2, 4, 9, "in mid-cycle, after 3 of 6"),
        (10, None, 10, "before the first peak"),
    ],
)
def test_a_cycle_that_is_cut(up: int, down: int | None, n: int, said: str | None) -> None:
    found = _cyclic(up, down, n, "the run")
    assert (found == []) if said is None else said in found[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("3ep", "give 3 with interval=epoch; scheduler=step takes durations"),
        ("500st", "give 500 with interval=step; scheduler=step"),
        ("1.5ep", "give auto for the run"),
        ("5%", "give auto for the run"),
    ],
)
def test_a_duration_is_answered_by_what_to_write(value: str, said: str) -> None:
    from torch.optim.lr_scheduler import StepLR

    assert said in instead_of_duration(value, StepLR)
    assert instead_of_duration(1.5, StepLR) == instead_of_duration(None, StepLR) == ""


def test_a_run_after_its_decay_is_warned_of(run_cli) -> None:
    tiny = (
        "dataset=synthetic",
        "dataset.samples=120",
        "dataset.batch_size=16",
        "trainer.progress=false",
        "logger=none",
    )
    run_cli(*tiny, "trainer.epochs=8", "scheduler=cosine", "name=run")
    for command in ("preview", "train"):
        ended = run_cli("resume=outputs/run", "trainer.epochs=9", "trainer.on_extend=keep", command=command)
        assert ended.code == 0
        assert ended.err.count("warning: trainer.on_extend=keep: the last 6 steps of the run train at") == 1
