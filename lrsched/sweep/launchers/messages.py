"""What the process of a job tells the one that forked it: a small file beside what it prints."""

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
        warnings: of saved states that cannot be used; the sweep repeats them.
        reason: the error that ended it, in words; empty where none did.
        exit_code: of that error.
    """

    warnings: list[str] = field(default_factory=list)
    reason: str = ""
    exit_code: int = 0


class Outbox:
    """Writes the messages of a job, each as it comes: the process may be killed at any moment.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._path, self._messages = _place(folder), Messages()
        self._path.unlink(missing_ok=True)  # an earlier attempt's

    def warn(self, message: str) -> None:
        """Say it here, and let the sweep repeat it."""
        say(message)
        self._messages.warnings.append(message)
        self._write()

    def fail(self, error: UserError) -> None:
        """Say the error that ends the job."""
        say(str(error))
        self._messages.reason, self._messages.exit_code = str(error), error.exit_code
        self._write()

    def _write(self) -> None:
        with suppress(OSError):  # a full disk is what the error is about
            write_json(self._path, asdict(self._messages))


def collect(folder: RunFolder) -> Messages:
    """The messages of a job that has ended; its file is removed."""
    try:
        return Messages(**json.loads(_place(folder).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Messages()
    finally:
        _place(folder).unlink(missing_ok=True)


def _place(folder: RunFolder) -> Path:
    return folder.path.parent / f".{folder.path.name}.json"
