"""A folder of small checkpoints, and what somebody may do to it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.checkpoint import Store
from lrsched.checkpoint.manifest import written


def state(value: float) -> dict[str, Any]:
    """A state that tells by its content which step it is of."""
    return {"step": int(value), "model": {"w": torch.full((3, 4), float(value))}, "name": "x", "none": None}


def is_state(loaded: dict[str, Any], value: float) -> bool:
    """Whether this is :func:`state` of that value, to the last bit."""
    expected = state(value)
    return (
        loaded.keys() == expected.keys()
        and all(loaded[name] == expected[name] for name in ("step", "name", "none"))
        and loaded["model"].keys() == {"w"}
        and loaded["model"]["w"].dtype == torch.float32
        and torch.equal(loaded["model"]["w"], expected["model"]["w"])
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "checkpoints")


def refit(path: Path, content: bytes, **entries: Any) -> None:
    """Put foreign bytes under a manifest that fits and seals them, as somebody with ill intent would."""
    (path / "state.pt").write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    manifest |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **entries}
    (path / "manifest.json").write_bytes(written(manifest))
