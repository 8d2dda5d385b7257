"""The docstrings of the public names: what, formula, arguments with units and shapes, errors, source, doctest."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lrsched
from lrsched.errors import ConfigError, DataError
from lrsched.horizon import Duration
from tests.helpers import docstrings
from tests.helpers.docstrings import Public, Rule

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "python.md"
SHELVES = ("schedules", "schedulers", "data", "tasks", "models", "loggers", "optimizers", "averages")
PARTS = {"Absolute", "Curve", "Phase", "Plan", "Schedule"}  # of schedules, and none of the shelf themselves
FOR_ALL = (docstrings.first_line, docstrings.arguments, docstrings.returns, docstrings.raises, docstrings.units)
FOR_METHODS_OF_THE_FIELD = (docstrings.formula, docstrings.source, docstrings.doctest)
OF_OURS = {"lrsched.models.Quadratic"}  # a model that nobody need have written about
CALLED_BY_USERS = ("run", "find", "load")


def resolved(dotted: str) -> Any:
    package, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(package), name)


def on_shelf(name: str) -> list[Public]:
    package = importlib.import_module(f"lrsched.{name}")
    found = {each: getattr(package, each) for each in sorted({*dir(package), *getattr(package, "__all__", ())})}
    return [Public(f"lrsched.{name}.{each}", item) for each, item in found.items() if isinstance(item, type)]


def members(name: str, item: Any) -> list[Public]:
    """The public methods and properties that a class defines itself."""
    if not isinstance(item, type):
        return []
    found: list[Public] = []
    fields = getattr(item, "__dataclass_fields__", {})  # a field's default may be a function
    for each, value in vars(item).items():
        if each.startswith("_") or each in fields:
            continue
        dotted = f"{name}.{each}"
        if isinstance(value, staticmethod):
            found.append(Public(dotted, getattr(item, each)))
        elif isinstance(value, classmethod):
            found.append(Public(dotted, getattr(item, each), item))
        elif hasattr(value, "func"):  # a cached property
            found.append(Public(dotted, property(value.func), item))
        elif isinstance(value, property) or inspect.isfunction(value):
            found.append(Public(dotted, value, item))
    return found


def on_page() -> list[str]:
    """The names that the reference of the Python API shows, with all their members."""
    return re.findall(r"^\.\. auto(?:class|function):: (\S+)", PAGE.read_text("utf-8"), re.MULTILINE)


def functions_of(name: str) -> list[Public]:
    module = importlib.import_module(name)
    own = {each: item for each, item in vars(module).items() if inspect.isfunction(item) and each[0] != "_"}
    return [Public(f"{name}.{each}", item) for each, item in own.items() if item.__module__ == name]


def of_the_field() -> list[Public]:
    """Schedules, optimizers, averages and statistics: each is somebody's method."""
    schedules = [public for public in on_shelf("schedules") if public.name.rpartition(".")[2] not in PARTS]
    return [*schedules, *on_shelf("optimizers"), *on_shelf("averages"), *functions_of("lrsched.report.stats")]


@cache
def everything() -> list[Public]:
    named = [*(f"lrsched.{name}" for name in lrsched.__all__), "lrsched.finder.here.Found", *on_page()]
    whole = [each for name in named for each in (Public(name, resolved(name)), *members(name, resolved(name)))]
    found = [*whole, *(public for name in SHELVES for public in on_shelf(name)), *of_the_field()]
    return list({public.name: public for public in found}.values())


def complaints(rule: Rule, names: list[Public]) -> list[str]:
    return [f"{public.name}: {complaint}" for public in names for complaint in rule(public)]


def test_the_public_names_are_found() -> None:
    found = {public.name for public in everything()}
    assert len(found) > 200
    assert {"lrsched.run", "lrsched.LRScheduler.step", "lrsched.python.finished.Run.predict"} <= found
    assert {"lrsched.schedules.WSDS", "lrsched.averages.Ema", "lrsched.data.Picture"} <= found
    assert {"lrsched.report.stats.holm", "lrsched.finder.here.Found.interval", "lrsched.Horizon"} <= found


@pytest.mark.parametrize("rule", FOR_ALL, ids=lambda rule: rule.__name__)
def test_every_public_name_says_what_it_is(rule: Rule) -> None:
    assert complaints(rule, everything()) == []


@pytest.mark.parametrize("rule", FOR_METHODS_OF_THE_FIELD, ids=lambda rule: rule.__name__)
def test_every_method_of_the_field_has_its_formula_its_source_and_an_example(rule: Rule) -> None:
    assert complaints(rule, of_the_field()) == []


def test_every_model_names_its_source() -> None:
    models = {public.name: public for public in on_shelf("models")}
    assert complaints(docstrings.source, [public for name, public in models.items() if name not in OF_OURS]) == []
    assert models.keys() >= OF_OURS


def test_what_a_user_calls_says_how_it_refuses() -> None:
    run = resolved("lrsched.python.finished.Run")
    methods = [public for public in members("Run", run) if inspect.isfunction(public.item)]
    assert {public.name for public in methods} >= {"Run.model", "Run.predict", "Run.evaluate", "Run.export"}
    called = [Public(name, getattr(lrsched, name)) for name in CALLED_BY_USERS]
    assert complaints(docstrings.refusals, [*called, *methods]) == []


def long_first_sentence() -> None:
    """A sentence
    that does not
    come to an end."""


def no_docstring() -> None: ...


def no_point() -> None:
    """Do something"""


def an_argument_less(x: int, y: int) -> None:
    """Add two numbers.

    Args:
        x: the first.
    """


def an_argument_more(x: int) -> None:
    """Double a number.

    Args:
        x: the number.
        y: another.
    """


def no_answer(x: int) -> float:
    """Compute with ``x``."""
    return float(x)


def no_such_error(x: int) -> None:
    """Look at ``x``.

    Raises:
        ConfigFault: it is wrong.
    """


def an_error_less(x: int) -> None:
    """Look at ``x``.

    Raises:
        ConfigError: it is wrong.
    """
    raise ConfigError("x", x, "is wrong") if x else DataError("x")


def another_error(x: int) -> None:
    """Look at ``x``."""
    if x:
        raise DataError("x")


def no_shape(x: NDArray[np.float64]) -> None:
    """Look at numbers.

    Args:
        x: the numbers.
    """


def no_unit(every: Duration) -> None:
    """Wait.

    Args:
        every: so long.
    """


def nothing_but_words() -> None:
    """Fall slowly."""


def long_doctest() -> None:
    """Count.

    >>> 1
    1
    >>> 2
    2
    >>> 3
    3
    >>> 4
    4
    >>> 5
    5
    >>> 6
    6
    >>> 7
    7
    >>> 8
    8
    >>> 9
    9
    """


BAD: list[tuple[Rule, Callable[..., Any], str]] = [
    (docstrings.first_line, long_first_sentence, "the first sentence takes 3 lines"),
    (docstrings.first_line, no_docstring, "has no docstring of its own"),
    (docstrings.first_line, no_point, "the first line ends without a point: 'Do something'"),
    (docstrings.arguments, an_argument_less, "Args: says nothing of y"),
    (docstrings.arguments, an_argument_more, "Args: speaks of y, which is no argument"),
    (docstrings.returns, no_answer, "neither the first line nor Returns: names what it gives (float)"),
    (docstrings.raises, no_such_error, "Raises: speaks of ConfigFault, which is no error"),
    (docstrings.raises, an_error_less, "Raises: says nothing of DataError"),
    (docstrings.raises, another_error, "Raises: says nothing of DataError"),
    (docstrings.refusals, another_error, "has no Raises:"),
    (docstrings.units, no_shape, "Args: says no shape of x (NDArray[np.float64])"),
    (docstrings.units, no_unit, "Args: does not say that every is a duration"),
    (docstrings.formula, nothing_but_words, "has no formula"),
    (docstrings.source, nothing_but_words, "has no link to a source"),
    (docstrings.doctest, nothing_but_words, "has no doctest"),
    (docstrings.doctest, long_doctest, "the doctest takes 9 lines"),
]


@pytest.mark.parametrize(
    ("rule", "bad", "complaint"), BAD, ids=[f"{rule.__name__}-{bad.__name__}" for rule, bad, _ in BAD]
)
def test_a_bad_docstring_is_noticed(rule: Rule, bad: Callable[..., Any], complaint: str) -> None:
    assert list(rule(Public(bad.__name__, bad))) == [complaint]


class Base:
    """Do.

    The methods are given ``y``.

    Args:
        x: a number.

    Raises:
        ConfigError: it is wrong.
    """

    def __init__(self, x: int) -> None:
        if not x:
            raise ConfigError("x", x, "is wrong")

    def told(self, y: int) -> None:
        """Do."""
        if y:
            raise ConfigError("y", y, "is wrong")

    def not_told(self, z: int) -> None:
        """Do."""
        raise DataError("z")


class Inherits(Base):
    """Do otherwise."""


class Undocumented(Base):
    def __init__(self, x: int, z: int) -> None:
        super().__init__(x)
        raise DataError("z") if z else ConfigError("x", x, "is wrong")


def test_a_class_speaks_for_its_methods_and_a_base_for_its_arguments() -> None:
    told, not_told = members("Base", Base)
    assert [list(rule(told)) for rule in FOR_ALL] == [[], [], [], [], []]
    assert list(docstrings.arguments(not_told)) == ["Args: says nothing of z"]
    assert list(docstrings.raises(not_told)) == ["Raises: says nothing of DataError"]
    assert complaints(docstrings.arguments, [Public("Inherits", Inherits)]) == []
    assert list(docstrings.first_line(Public("Undocumented", Undocumented))) == ["has no docstring of its own"]
    assert list(docstrings.arguments(Public("Undocumented", Undocumented))) == ["Args: says nothing of z"]
