"""What a docstring must tell, as functions that name what is missing."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

import lrsched.errors

LINK = re.compile(r"https?://\S+|:(?:func|class|meth):`[^`]+`")
FORMULA = re.compile(r"^ {4,}\S|[·×√^Π⌊≤]| = ", re.MULTILINE)
FIELDS = re.compile(r"Tensor|NDArray|Floats|Ints|Batch\b|Samples\b|ArrayLike")
FORM = re.compile(r"\[[^\]]*\]|float64|int64|uint8|shape|scalar|\bby name\b|samples first|Tensors?\b")
ENTRY = re.compile(r"^ {4}(\*{0,2}\w[\w, .*]*):(?: |$)")
LITERAL = re.compile(r"``(\w+)``")
SECTIONS = ("Args", "Returns", "Raises", "References")
NAMES_THE_RESULT = re.compile(
    r"(?:(?:The|An?|Its|Every|Each|All|How|What|Where|Whether|Which|Who|So|This|One|True)\b|``)"
)
LINES_OF_A_DOCTEST = 8


@dataclass(frozen=True)
class Public:
    """A public name: a class, a function or a method.

    Args:
        name: dotted.
        item: itself.
        owner: the class that a method is of.
    """

    name: str
    item: Any
    owner: type | None = None

    @cached_property
    def text(self) -> str:
        """The docstring of its own, dedented; an inherited one does not count."""
        own = self.item.__doc__ if not isinstance(self.item, property) else self.item.fget.__doc__
        if isinstance(self.item, type) and "__doc__" not in vars(self.item):
            return ""
        return inspect.cleandoc(own or "")

    @cached_property
    def sections(self) -> dict[str, str]:
        """The text of each section, and what stands before the first under the name ``""``."""
        found, name = {"": ""}, ""
        for line in self.text.splitlines():
            head = line.removesuffix(":")
            if line != head and head in SECTIONS:
                name = head
                found[name] = ""
            elif name and line and not line.startswith(" "):
                name = ""
            else:
                found[name] += f"{line}\n"
                continue
            if name == "":
                found[""] += f"{line}\n"
        return found

    def entries(self, section: str) -> dict[str, str]:
        """The entries of a section by name; ``a, b: …`` speaks of two."""
        found: dict[str, str] = {}
        names: list[str] = []
        for line in self.sections.get(section, "").splitlines():
            if match := ENTRY.match(line):
                names = [name.strip(" *") for name in match[1].split(",")]
                found |= dict.fromkeys(names, line[match.end() :])
            else:
                for name in names:
                    found[name] += f"\n{line}"
        return found

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """What it is called with."""
        if isinstance(self.item, property):
            return {}
        found = list(signature(self.item).parameters.items())
        bound = self.owner is None or inspect.ismethod(self.item)  # a bound method's signature has no self any more
        return dict(found if bound else found[1:])

    @cached_property
    def bases(self) -> list[Public]:
        """The classes, nearest first, or the methods of that name, that it takes the place of."""
        if isinstance(self.item, type):
            return [Public(base.__name__, base) for base in self.item.__mro__[1:-1] if _of_one_house(base, self.item)]
        if self.owner is None or isinstance(self.item, property):
            return []
        name = self.item.__name__
        return [
            Public(f"{base.__name__}.{name}", vars(base)[name], base)
            for base in self.owner.__mro__[1:-1]
            if name in vars(base)
        ]

    @property
    def klass(self) -> list[Public]:
        """The class of a method."""
        return [] if self.owner is None else [Public(self.owner.__name__, self.owner)]


def _of_one_house(one: type, other: type) -> bool:
    return one.__module__.partition(".")[0] == other.__module__.partition(".")[0]


Rule = Callable[[Public], Iterator[str]]


def first_line(public: Public) -> Iterator[str]:
    """One sentence says what it is, on the first line or two, and ends with a point."""
    first = public.text.partition("\n\n")[0].rstrip()
    if not first:
        yield "has no docstring of its own"
    elif not first.endswith(".") and not first.endswith("::"):
        yield f"the first line ends without a point: {first.splitlines()[-1]!r}"
    elif first.count("\n") > 1:
        yield f"the first sentence takes {1 + first.count(chr(10))} lines"


def arguments(public: Public) -> Iterator[str]:
    """Each argument has its entry, here or where it was inherited from, and no entry speaks of another.

    A function may name an argument in its text instead, and a method's class may say once what all methods call so.
    """
    entries = public.entries("Args")
    told = {name for each in (public, *public.bases) for name in each.entries("Args")}
    if not isinstance(public.item, type):
        told |= {name for each in (public, *public.bases, *public.klass) for name in LITERAL.findall(each.text)}
    for name in public.parameters:
        if name not in told and not name.startswith("_"):
            yield f"Args: says nothing of {name}"
    for name in entries:
        if name not in public.parameters:
            yield f"Args: speaks of {name}, which is no argument"


def returns(public: Public) -> Iterator[str]:
    """What a function gives is named by its first line, as a noun or by its class, or by ``Returns:``."""
    if isinstance(public.item, (type, property)):
        return
    what = str(signature(public.item).return_annotation)
    if what in ("None", "NoReturn", "Self", "<class 'inspect._empty'>") or "Returns" in public.sections:
        return
    first = public.text.partition("\n\n")[0]
    named = any(word.lower() in first.lower() for word in re.findall(r"[A-Z]\w+", what))
    if not NAMES_THE_RESULT.match(first) and not named and "return" not in first:
        yield f"neither the first line nor Returns: names what it gives ({what})"


def raises(public: Public) -> Iterator[str]:
    """Each error that its own lines raise is told under ``Raises:``, and what is told there is an error."""
    known = (public, *public.bases, *public.klass)
    told = {name.rpartition(".")[2] for each in known for name in each.entries("Raises")}
    for name in public.entries("Raises"):
        error = getattr(builtins, name, None) or getattr(lrsched.errors, name.rpartition(".")[2], None)
        if not (isinstance(error, type) and issubclass(error, BaseException)):
            yield f"Raises: speaks of {name}, which is no error"
    for name in sorted(_raised(public) - told - {"NotImplementedError", "AssertionError"}):
        yield f"Raises: says nothing of {name}"


def _raised(public: Public) -> set[str]:
    """The errors that are raised in its own lines; for a class, in those that check its arguments."""
    if isinstance(public.item, type):
        checks = [
            vars(public.item)[name] for name in ("__init__", "__post_init__", "check") if name in vars(public.item)
        ]
        own = [check for check in checks if check.__name__ == "__init__" or len(signature(check).parameters) == 1]
        return {error for check in own for error in _raised_in(check)}
    return _raised_in(public.item.fget if isinstance(public.item, property) else public.item)


def _raised_in(function: Any) -> set[str]:
    function = inspect.unwrap(getattr(function, "__func__", function))
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):  # made by dataclass
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            calls = [each.func for each in ast.walk(node.exc) if isinstance(each, ast.Call)]
            found |= {call.id for call in calls if isinstance(call, ast.Name)}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CHECKS:
            found.add("ConfigError")
    return {name for name in found if name.endswith("Error")}


def refusals(public: Public) -> Iterator[str]:
    """What a user calls says how it refuses."""
    if not public.entries("Raises"):
        yield "has no Raises:"


CHECKS = {"number", "one_of", "require"}  # of lrsched.schedules.checks: they raise ConfigError


def units(public: Public) -> Iterator[str]:
    """An argument that is a tensor or an array is told with its shape or dtype, and a duration as one."""
    entries = public.entries("Args")
    for name, parameter in public.parameters.items():
        kind = parameter.annotation if isinstance(parameter.annotation, str) else repr(parameter.annotation)
        if name in entries and FIELDS.search(kind) and not FORM.search(entries[name]):
            yield f"Args: says no shape of {name} ({kind})"
        if name in entries and re.search(r"\bDuration\b", kind) and not re.search(r"duration|``\d", entries[name]):
            yield f"Args: does not say that {name} is a duration"


def formula(public: Public) -> Iterator[str]:
    """It is defined by a formula."""
    if not FORMULA.search(public.sections[""].partition(">>>")[0]):
        yield "has no formula"


def source(public: Public) -> Iterator[str]:
    """It says where it is from, by a link, or by the name of what it follows from."""
    if not LINK.search(public.text):
        yield "has no link to a source"


def doctest(public: Public) -> Iterator[str]:
    """An example is run, and is short."""
    lines = [line for line in public.text.splitlines() if line.lstrip().startswith((">>>", "..."))]
    if not lines:
        yield "has no doctest"
    elif len(lines) > LINES_OF_A_DOCTEST:
        yield f"the doctest takes {len(lines)} lines"
