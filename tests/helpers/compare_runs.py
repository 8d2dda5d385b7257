"""Compare two runs byte for byte, except what a clock measured."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrsched.records import RunFolder

CLOCK = ("train_seconds", "samples_per_second", "seconds", "save_seconds")
"""Entries of the result and of the state that a clock measured."""


def differences(a: RunFolder, b: RunFolder) -> list[str]:
    """List the differences of two finished runs: rows, result and every item of the final checkpoint."""
    found = [name for name in ("metrics.jsonl", "metrics.csv") if _bytes(a.path / name) != _bytes(b.path / name)]
    found += differing("result", _result(a), _result(b))
    found += differing("state", final_state(a), final_state(b))
    return found


def final_state(folder: RunFolder) -> dict[str, Any]:
    """The content of the last checkpoint, without what a clock measured.

    Read by torch alone: the comparison does not lean on the code that it judges.
    """
    last = max(folder.checkpoints.glob("step-*/manifest.json")).parent
    return torch.load(io.BytesIO((last / "state.pt").read_bytes()), weights_only=True)


def _result(folder: RunFolder) -> Any:
    return json.loads(folder.result.read_text("utf-8"))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def differing(name: str, a: Any, b: Any) -> Iterator[str]:
    """Names of the items that differ, to the last bit and the last type."""
    if type(a) is not type(b):
        yield f"{name}: {type(a).__name__} and {type(b).__name__}"
    elif isinstance(a, Mapping):
        for key in {**a, **b}:
            if key not in CLOCK and (key not in a or key not in b):
                yield f"{name}/{key}: in one only"
            elif key not in CLOCK:
                yield from differing(f"{name}/{key}", a[key], b[key])
    elif isinstance(a, (list, tuple)):
        if len(a) != len(b):
            yield f"{name}: {len(a)} and {len(b)} entries"
        for number, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from differing(f"{name}/{number}", x, y)
    elif isinstance(a, Tensor):
        if (a.dtype, a.shape) != (b.dtype, b.shape) or _raw(a) != _raw(b):
            yield name
    elif isinstance(a, float):
        if a.hex() != b.hex():
            yield f"{name}: {a!r} and {b!r}"
    elif a != b:
        yield f"{name}: {a!r} and {b!r}"


def _raw(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
