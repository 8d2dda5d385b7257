"""Messages of a job's process to its parent: a small file beside its output."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lrsched.console import say
from lrsched.errors import UserError
from lrsched.records import RunFolder, write_json


@dataclass
class Messages:
    """Messages of a job.

    Args:
        warnings: saved states that cannot be used; the sweep repeats them.
        reason: message of the error that ended the job, or empty.
        exit_code: of that error.
    """

    warnings: list[str] = field(default_factory=list)
    reason: str = ""
    exit_code: int = 0


class Outbox:
    """Writes the messages of a job at once: its process may be killed at any moment.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._path, self._messages = _place(folder), Messages()
        self._path.unlink(missing_ok=True)  # an earlier attempt's

    def warn(self, message: str) -> None:
        """Print a warning here; the sweep repeats it."""
        say(message)
        self._messages.warnings.append(message)
        self._write()

    def fail(self, error: UserError) -> None:
        """Print and record the error that ends the job."""
        say(str(error))
        self._messages.reason, self._messages.exit_code = str(error), error.exit_code
        self._write()

    def _write(self) -> None:
        with suppress(OSError):  # a full disk is what the error is about
            write_json(self._path, asdict(self._messages))


def collect(folder: RunFolder) -> Messages:
    """Read the messages of an ended job, and remove their file."""
    try:
        return Messages(**json.loads(_place(folder).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Messages()
    finally:
        _place(folder).unlink(missing_ok=True)


def _place(folder: RunFolder) -> Path:
    return folder.path.parent / f".{folder.path.name}.json"
