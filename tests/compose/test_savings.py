"""What test processes save leaves what is tested as it is."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import Container

from tests.compose.test_remembered_files import composed, nodes


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
