"""A folder of small checkpoints, and what somebody may do to it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.checkpoint.manifest import written
from lrsched.checkpoint.store import Store


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


def in_a_child(function: Callable[[], None], seconds: int = 60, code: int = 0) -> None:
    """Run a function in a forked child, which may neither crash nor hang.

    Args:
        function: whose exception ends the child with 1.
        seconds: after which it has hung.
        code: that the child must end with.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 on: of other threads, which do not matter here
        child = os.fork()
    if child == 0:
        ended = 1
        try:
            signal.alarm(seconds)
            function()
            ended = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(ended)
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    assert os.WEXITSTATUS(status) == code
