"""Read a YAML as Hydra does, where it holds what a config can: numbers, texts, lists and mappings."""

from __future__ import annotations

from typing import Any

import yaml

from lrsched.errors import UNSET, ConfigError

TAG = "tag:yaml.org,2002:"
KINDS = frozenset(f"{TAG}{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge"))
DEEPEST = 40
MOST = 100_000
"""Keys, items and values of one file, those behind each alias (``*name``) counted again."""


class _Loader(yaml.SafeLoader):
    """Knows no dates: ``2024-02-30`` is a text."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Make the object of a node; say where it stands if it cannot be one of its kind."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
            rule = f"has a value that is no {str(node.tag).removeprefix(TAG)}"
            raise yaml.MarkedYAMLError(problem=rule, problem_mark=node.start_mark) from error


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if tag != f"{TAG}timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str, where: str) -> Any:
    """What a YAML says.

    Args:
        text: of the file.
        where: its place, for a message.

    Raises:
        ConfigError: it is no YAML, or holds what no config can; names the place, the line and the column.
    """
    loader: Any = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, {}, 0)
        return loader.construct_document(node)
    except RecursionError as error:
        raise ConfigError(where, UNSET, f"is nested deeper than {DEEPEST}", "mend it") from error
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        at = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        rule = str(getattr(error, "problem", "")) if type(error) is yaml.MarkedYAMLError else "is no YAML"
        raise ConfigError(where, UNSET, f"{rule}{at}", "mend it") from error
    finally:
        if loader is not None:
            loader.dispose()


def _weigh(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many keys, items and values a node unpacks to; refuse what no config holds."""

    def refuse(rule: str) -> yaml.MarkedYAMLError:
        return yaml.MarkedYAMLError(problem=rule, problem_mark=node.start_mark)

    if id(node) in known:
        if not known[id(node)]:
            raise refuse("holds itself")
        return known[id(node)]
    if node.tag not in KINDS:
        raise refuse(f"holds a value of the kind {node.tag.removeprefix(TAG)}, which no config can")
    if depth > DEEPEST:
        raise refuse(f"is nested deeper than {DEEPEST}")
    known[id(node)] = 0
    if isinstance(node, yaml.ScalarNode):
        if any("\ud800" <= letter <= "\udfff" for letter in node.value):
            raise refuse("holds half a character")
        size = 1
    elif isinstance(node, yaml.MappingNode):
        size = 1 + sum(_weigh(each, known, depth + 1) for pair in node.value for each in pair)
    else:
        size = 1 + sum(_weigh(each, known, depth + 1) for each in node.value)
    if size > MOST:
        raise refuse(f"unpacks to more than {MOST} values")
    known[id(node)] = size
    return size
