"""Read the comments of a YAML file: what each says of the key that it stands above or behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

HEADER = re.compile(r"#\s*(@|yaml-language-server:)")
"""A comment for a program."""


def comments(text: str) -> Mapping[str, str]:
    """The comments by dotted key; that of "" is the one that the file opens with.

    A comment behind a key goes on in the lines below it. One above a key is also that of the keys below it which have
    none, up to an empty line.

    >>> comments("# A model.\\n_target_: a.B\\nhidden: 3  # how\\n           # wide\\n# sizes\\na: 1\\nb: 2\\n")
    {'': 'A model.', 'hidden': 'how\\nwide', 'a': 'sizes', 'b': 'sizes'}
    """
    lines = text.splitlines()
    head = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    found = {"": _joined([line for line in lines[:head] if not HEADER.match(line)])}
    root = yaml.compose(text, yaml.SafeLoader)
    above = ""
    for key, line, column, after in _keys(root, ""):
        own = _block_above(lines, line, column, head)
        if own or not lines[line - 1].strip():
            above = own
        behind = _behind(lines, line, after)
        words = "\n".join(part for part in (own if behind else above, behind) if part)
        if words:
            found[key] = words
    return found


def _keys(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int, int, int]]:
    """Each key with its line, its column, and where the text behind it and its value begins."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        name = f"{prefix}.{key.value}" if prefix else str(key.value)
        line, column = key.start_mark.line, key.start_mark.column
        after = value.end_mark.column if value.end_mark.line == line else key.end_mark.column + 1
        yield name, line, column, after
        if not node.flow_style:
            yield from _keys(value, name)


def _block_above(lines: list[str], line: int, column: int, head: int) -> str:
    first = line
    while first > head and lines[first - 1].startswith(" " * column + "#"):
        first -= 1
    return _joined(lines[first:line])


def _behind(lines: list[str], line: int, after: int) -> str:
    rest = lines[line][after:]
    if not rest.lstrip().startswith("#"):
        return ""
    column = len(lines[line]) - len(rest.lstrip())
    last = line + 1
    while last < len(lines) and lines[last][:column].isspace() and lines[last].lstrip().startswith("#"):
        last += 1
    return _joined([lines[line][column:], *(text[column:] for text in lines[line + 1 : last])])


def _joined(block: list[str]) -> str:
    """The text of comment lines, as it is indented."""
    return "\n".join(re.sub(r"^\s*# ?", "", text).rstrip() for text in block).strip("\n")
