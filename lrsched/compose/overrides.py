"""Read overrides in Hydra's grammar, and write each of their values as an override of its own."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ParsedElementType, Quote, QuotedString, Transformer
from hydra.errors import HydraException

from lrsched.compose.nodes import within


def parse(words: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Parse overrides; what ``glob`` matches is known to the loader.

    Raises:
        OverrideParseException: one cannot be read.
    """
    return OverridesParser.create(config_loader=loader).parse_overrides(list(words))


def standing(overrides: Sequence[Override]) -> list[Override]:
    """Leave out what a later override of the same key replaces whole.

    All overrides of a key that is not replaced whole, and of those below it, stay in the order in which Hydra applies
    them.
    """
    parts = _in_parts(overrides)
    found: list[Override] = []
    places: dict[str, int] = {}
    for override in overrides:
        key = override.get_key_element()
        if any(_related(override.key_or_group, part) for part in parts):
            found.append(override)
        elif key in places:
            found[places[key]] = override
        else:
            places[key] = len(found)
            found.append(override)
    return found


def order_counts(overrides: Sequence[Override]) -> bool:
    """Whether two overrides reach into one another, so that another order of them may make another config."""
    keys, parts = [override.key_or_group for override in overrides], _in_parts(overrides)
    pairs = itertools.combinations(keys, 2)
    return any(_related(*pair) and not parts.isdisjoint(pair) for pair in pairs)


def word_of(override: Override) -> str:
    """Write an override of one value, so that it reads back as itself."""
    word = f"{override.get_key_element()}={override.get_value_element_as_str()}"
    try:
        same = repr(parse([word])[0].value()) == repr(override.value())
    except HydraException:
        same = False
    return word if same else str(override.input_line)


def values_of(override: Override) -> list[str]:
    """Write each value of a discrete sweep, so that it reads back as itself."""
    return [written(value) for value in override.sweep_iterator()]


def written(value: ParsedElementType) -> str:
    """Write a value in Hydra's grammar, so that it reads back as itself."""
    return Transformer.str(_quoted(value))


def _quoted(value: ParsedElementType) -> ParsedElementType:
    """Quote each text that would be read back as something else, as the 1 of ``str(1)``."""
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    if isinstance(value, dict):
        return {key: _quoted(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    try:
        same = parse([f"x={Transformer.str(value)}"])[0].value() == value
    except HydraException:
        same = False
    return value if same else QuotedString(value, Quote.single)


def _in_parts(overrides: Sequence[Override]) -> set[str]:
    """Find the keys that an override adds to or deletes, or sets to a mapping, or to a list after a value."""
    kinds: dict[str, set[type]] = defaultdict(set)
    for override in overrides:
        if override.is_add() or override.is_force_add() or override.is_delete():
            kinds[override.key_or_group].add(dict)
        values = override.sweep_iterator() if override.is_choice_sweep() else [override.value()]
        kinds[override.key_or_group] |= {type(value) if isinstance(value, (dict, list)) else str for value in values}
    return {key for key, found in kinds.items() if dict in found or len(found) > 1}


def _related(one: str, other: str) -> bool:
    return within(one, [other]) or within(other, [one])
