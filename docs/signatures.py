"""Writes into docs/reference/python.md the signature of every name that the page documents, above its docstring.

    python docs/signatures.py

The site has them from the docstrings; a reader of the plain page has them from here. A test compares.
"""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "reference" / "python.md"
BLOCK = re.compile(r"(?:```text\n(?:(?!```).)*```\n\n)?(```\{eval-rst\}\n(.*?)```)", re.DOTALL)
NAMED = re.compile(r"auto(?:function|class):: (\S+)\n((?:   :.*\n)*)")
WIDTH = 116


def main() -> None:
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


def page(text: str) -> str:
    """The same page with the signatures of now."""
    return BLOCK.sub(lambda block: f"```text\n{_of_block(block[2])}\n```\n\n{block[1]}", text)


def _of_block(text: str) -> str:
    lines: list[str] = []
    for name, options in NAMED.findall(text):
        found = resolved(name)
        lines.append(f"{name}{signature(found)}")
        if isinstance(found, type) and ":members:" in options:
            lines += [f"  .{each}" for each in _members(found, options)]
    return "\n".join(line for each in lines for line in _wrapped(each))


def _members(cls: type, options: str) -> Iterator[str]:
    """What the page shows of a class: its own methods and properties that have a docstring."""
    wanted, unwanted = (re.search(rf":{word}: (.*)", options) for word in ("members", "exclude-members"))
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", getattr(value, "func", value))  # of a class, or a cached property
        if name.startswith("_") or not (inspect.isfunction(function) or isinstance(value, property)):
            continue
        if name in getattr(cls, "__dataclass_fields__", {}) or not value.__doc__:
            continue
        if (wanted and name not in wanted[1].split(", ")) or (unwanted and name in unwanted[1].split(", ")):
            continue
        is_called = inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod))
        yield name + (signature(getattr(cls, name), bound=inspect.isfunction(value)) if is_called else "")


def resolved(name: str) -> Any:
    """What a dotted name of the page stands for."""
    package, _, last = name.rpartition(".")
    return getattr(importlib.import_module(package), last)


def signature(of: Any, *, bound: bool = False) -> str:
    """A signature as one reads it: types without quotes, a default that is made anew each time as ``…``.

    Args:
        of: a function or a class.
        bound: leave the first parameter out.
    """
    found = inspect.signature(of)
    parts: list[str] = []
    for parameter in [*found.parameters.values()][int(bound) :]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(_parameter(parameter))
    gives = found.return_annotation
    back = "" if isinstance(of, type) or gives is found.empty else f" -> {_type(gives)}"
    return f"({', '.join(parts)}){back}"


def _parameter(parameter: inspect.Parameter) -> str:
    typed = f"{parameter.name}: {_type(parameter.annotation)}"
    default: Any = parameter.default
    if default is parameter.empty:
        return typed
    shown = repr(default) if type(default).__repr__ is not object.__repr__ else "…"
    return f"{typed} = {getattr(default, '__name__', '…' if shown.startswith('<') else shown)}"


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _wrapped(line: str) -> list[str]:
    """The line, broken behind commas alone."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    held = re.sub(r"(?<!,) ", "\0", line)
    found = textwrap.wrap(held, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [each.replace("\0", " ") for each in found]


if __name__ == "__main__":
    main()
