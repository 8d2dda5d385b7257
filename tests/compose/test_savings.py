"""What test processes save leaves what is tested as it is."""

from __future__ import annotations

import copy
import enum
import os
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import OverrideParseException
from omegaconf import (
    BooleanNode,
    BytesNode,
    Container,
    EnumNode,
    FloatNode,
    IntegerNode,
    OmegaConf,
    PathNode,
    StringNode,
    ValidationError,
)

from lrsched.config import schema
from tests.compose.test_remembered_files import composed, nodes


class Kind(enum.Enum):
    OURS = 1


def metadata(node: Any) -> list[Any]:
    """The metadata of every node of a config."""
    content = node._content if isinstance(node, Container) else None
    below = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [node._metadata, *(item for child in below for item in metadata(child))]


def test_a_copied_config_is_the_config_and_shares_nothing_that_changes() -> None:
    config = composed("scheduler=torch/StepLR", "model=cnn")
    config._metadata.resolver_cache["now"]["%Y"] = "2000"
    config.model._set_flag("struct", False)
    copied = copy.deepcopy(config)
    assert list(nodes(copied)) == list(nodes(config))
    pairs = list(zip(metadata(config), metadata(copied), strict=True))
    assert len(pairs) > 150
    for ours, theirs in pairs:
        assert vars(ours).keys() == vars(theirs).keys()
        assert ours is not theirs
        assert ours.flags is not theirs.flags
        assert ours.resolver_cache is not theirs.resolver_cache
    assert copied._metadata.resolver_cache["now"] is not config._metadata.resolver_cache["now"]
    copied._metadata.resolver_cache["another"]["x"] = 1  # a mapping that makes what it is asked for, still


def test_a_closed_file_cannot_be_synced(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.fsync(file.fileno())
        descriptor = file.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fsync(descriptor)


def test_a_node_of_each_kind_is_copied() -> None:
    config = OmegaConf.create({"a": 3, "values": [None, 1, 0.5, True, "${a}", b"b", Path("p")]})
    typed = [IntegerNode(1), FloatNode(0.5), BooleanNode(True), StringNode("s"), BytesNode(b"b")]
    config.nodes = [*typed, [1, {"x": 2}]]
    config.kinds = {"path": PathNode(Path("p")), "enum": EnumNode(Kind, Kind.OURS)}
    copied = copy.deepcopy(config)
    assert copied == config
    assert list(nodes(copied)) == list(nodes(config))
    copied.a, copied.nodes[-1][1].x = 4, 5
    assert copied["values"][4] == 4
    assert (config.a, config.nodes[-1][1].x) == (3, 2)
    with pytest.raises(ValidationError):
        copied.kinds.enum = "theirs"


def test_what_was_parsed_before_is_new_each_time() -> None:
    text = "a: {b: 1}\nc: ${a.b}\n"
    for _ in range(2):
        config = OmegaConf.create(text)
        assert config == {"a": {"b": 1}, "c": 1}
        config.a.b = 2
        assert config.c == 2
    assert OmegaConf.create() == {}
    assert OmegaConf.create(None)._is_none()
    first = OmegaConf.structured(schema.RunConfig)
    first.seed = 7
    again = OmegaConf.structured(schema.RunConfig)
    assert again.seed == schema.RunConfig().seed != 7
    assert again == OmegaConf.structured(schema.RunConfig())
    with pytest.raises(ValidationError):
        again.seed = "seven"


@pytest.mark.parametrize("word", ["seed=1,2", "a=range(0,3)", "+a.b={x: [1, 'y']}", "a=tag(log,interval(0.1,1))", "~a"])
def test_a_word_that_was_parsed_before_is_new_each_time(word: str) -> None:
    first, second = (OverridesParser.create().parse_overrides([word])[0] for _ in range(2))
    assert first == second
    assert first.input_line == word
    first.type = OverrideType.FORCE_ADD
    assert second.type != first.type
    assert OverridesParser.create().parse_overrides([word]) == [second]
    with pytest.raises(OverrideParseException):
        OverridesParser.create().parse_overrides([f"{word}=["])
