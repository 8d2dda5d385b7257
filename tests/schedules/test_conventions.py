"""What holds for every convention and every schedule that it has, or has not."""

from __future__ import annotations

import dataclasses
import pkgutil
import typing

import numpy as np
import pytest

import lrsched.schedules
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import Cosine, Rex, Schedule, Tanh, conventions
from lrsched.schedules.rules import ALWAYS, CONVENTIONS, find
from tests.helpers.shelf import NEEDED

SHELF: dict[str, type[Schedule]] = {name: getattr(lrsched.schedules, name) for name in dir(lrsched.schedules)}
LACKING = [(kind, name) for kind, cls in SHELF.items() for name in CONVENTIONS if cls not in find(name).rules]
PAIRS = [(name, cls) for name in CONVENTIONS for cls in find(name).rules]
every_pair = pytest.mark.parametrize(("name", "cls"), PAIRS, ids=lambda item: getattr(item, "__name__", item))


def on(cls: type[Schedule], name: str) -> Schedule:
    """The schedule with that convention, and what it cannot take over turned off."""
    off = {"momentum": None} if "momentum" not in find(name).rules[cls].takes else {}
    own = {field.name for field in dataclasses.fields(cls)}
    options = {"first": "5st", **off}
    return cls(convention=name, **{key: value for key, value in options.items() if key in own})  # type: ignore[arg-type]


def test_the_parameter_offers_exactly_the_conventions() -> None:
    hint = typing.get_type_hints(Schedule)["convention"]
    literal = next(argument for argument in typing.get_args(hint) if argument is not type(None))
    assert typing.get_args(literal) == CONVENTIONS
    files = {module.name for module in pkgutil.iter_modules(conventions.__path__)}
    assert {name for name in files if not name.startswith("_")} == set(CONVENTIONS)


@every_pair
def test_a_rule_takes_parameters_that_the_schedule_has(name: str, cls: type[Schedule]) -> None:
    takes = find(name).rules[cls].takes
    assert set(takes) <= {field.name for field in dataclasses.fields(cls)} - set(ALWAYS)
    assert len(set(takes)) == len(takes)


@every_pair
@pytest.mark.parametrize("steps", [10, 50])
def test_its_phases_tile_the_run_with_finite_values(name: str, cls: type[Schedule], steps: int) -> None:
    schedule, run = on(cls, name), Horizon(steps=steps, steps_per_epoch=steps)
    plan = schedule.plan(run, 0.1)
    assert plan.steps == steps
    for column in schedule.table(run, 0.1).values():
        assert column.shape == (steps,)
        assert np.isfinite(column).all()
        assert (column >= 0).all()
    np.testing.assert_array_equal(plan.at(range(steps)), plan.table(), strict=True)
    assert plan.at([steps, 10**9]).tolist() == [plan[steps - 1]] * 2


@every_pair
def test_a_warmup_is_of_the_length_given(name: str, cls: type[Schedule]) -> None:
    if "warmup" not in find(name).rules[cls].takes:
        with pytest.raises(ConfigError, match="warmup=2st: has no counterpart in"):
            dataclasses.replace(on(cls, name), warmup="2st")
        return
    start = {"warmup_start": 0.25} if "warmup_start" in find(name).rules[cls].takes else {}
    plan = dataclasses.replace(on(cls, name), warmup="10st", **start).plan(Horizon(steps=50, steps_per_epoch=50))
    assert plan.parts[0].name == "warmup"
    assert plan.starts[1] == 10


@pytest.mark.parametrize(("kind", "name"), LACKING)
def test_a_schedule_that_the_library_does_not_have_is_refused(kind: str, name: str) -> None:
    convention, cls = find(name), SHELF[kind]
    with pytest.raises(ConfigError) as caught:
        cls(convention=name, **NEEDED.get(kind, {}))  # type: ignore[arg-type]
    having = [other for other in CONVENTIONS if cls in find(other).rules]
    remedy = f"conventions that have it: {', '.join(having)}" if having else "no convention has it, give null"
    assert (caught.value.key, caught.value.value) == ("convention", name)
    assert str(caught.value) == f"convention={name}: {convention.title} has no {kind}; {remedy}"


def test_two_refusals_in_full() -> None:
    with pytest.raises(ConfigError) as caught:
        Tanh(convention="hf")
    assert str(caught.value) == "convention=hf: transformers has no Tanh; conventions that have it: timm"
    with pytest.raises(ConfigError) as caught:
        Rex(convention="torch")
    assert str(caught.value) == "convention=torch: PyTorch has no Rex; no convention has it, give null"


def test_an_unknown_convention_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"convention=tim: is not one of torch, hf, timm.*did you mean 'timm'"):
        Cosine(convention="tim")


def test_past_raise_holds_for_conventions_too() -> None:
    with pytest.raises(ConfigError, match="step 10 lies after the schedule's 10 steps"):
        Cosine(convention="hf", past="raise").plan(Horizon(steps=10))[10]
