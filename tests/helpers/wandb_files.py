"""Read what W&B wrote offline: a log of protocol buffers in LevelDB's frame."""

from __future__ import annotations

import json
import struct
from importlib import import_module
from pathlib import Path
from typing import Any

BLOCK, HEAD = 32768, 7
"""Bytes of a block; of the file's head, and of a record's: a checksum (4), a length (2), which part it is (1)."""

FULL, FIRST, MIDDLE, LAST = range(1, 5)


def records(file: Path) -> list[Any]:
    """The records of a ``run-ID.wandb``, up to where a killed process left it."""
    content, place, found, parts = file.read_bytes(), HEAD, list[bytes](), list[bytes]()
    assert content[:4] == b":W&B"
    while place + HEAD <= len(content):
        rest = BLOCK - place % BLOCK
        if rest < HEAD:
            place += rest
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEAD])
        piece = content[place + HEAD : place + HEAD + length]
        if kind == 0 or len(piece) < length:
            break
        parts.append(piece)
        if kind in (FULL, LAST):
            found.append(b"".join(parts))
            parts = []
        place += HEAD + length
    messages: Any = import_module("wandb.proto.wandb_internal_pb2")
    return [messages.Record.FromString(record) for record in found]


def segments(folder: Path) -> list[Path]:
    """The files of a run folder, in the order in which they were made."""
    return sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))


def history(folder: Path) -> list[tuple[int, str, Any]]:
    """Step, name and value of each point in all of a run's files, names of the package's own left out."""
    found = []
    for file in segments(folder):
        for record in records(file):
            if record.WhichOneof("record_type") == "history":
                items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                step = record.history.step.num if record.history.HasField("step") else int(items["_step"])
                found += [(step, name, json.loads(value)) for name, value in items.items() if not name.startswith("_")]
    return found


def described(folder: Path) -> list[tuple[str, str, str, str]]:
    """Id, group, name and project that each of a run's files tells."""
    runs = [record.run for file in segments(folder) for record in records(file) if record.HasField("run")]
    return [(run.run_id, run.run_group, run.display_name, run.project) for run in runs]
