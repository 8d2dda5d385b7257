"""Messages of a job's process to its parent: a small file beside its output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsched.console import say
from lrsched.errors import UserError
from lrsched.records import RunFolder, write_json


class Outbox:
    """Writes the messages of a job at once: its process may be killed at any moment.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._path, self._warnings = _place(folder), list[str]()
        self._path.unlink(missing_ok=True)  # an earlier attempt's

    def warn(self, message: str) -> None:
        """Print a warning here; the sweep repeats it."""
        say(message)
        self._warnings.append(message)
        self._write()

    def fail(self, error: UserError) -> None:
        """Print and record the error that ends the job."""
        say(str(error))
        self._write(reason=str(error), exit_code=error.exit_code)

    def _write(self, **ended: Any) -> None:
        with suppress(OSError):  # a full disk is what the error is about
            write_json(self._path, {"warnings": self._warnings, **ended})


def collect(folder: RunFolder) -> Mapping[str, Any]:
    """Read the messages of an ended job, and remove their file: ``warnings``, and ``reason`` of an error."""
    try:
        return json.loads(_place(folder).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    finally:
        _place(folder).unlink(missing_ok=True)


def _place(folder: RunFolder) -> Path:
    return folder.path.with_name(f".{folder.path.name}.json")
