"""What every tracker does: send each row once, when it can no longer be taken back, and never harm the run."""

from __future__ import annotations

import json
import re
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.loggers.base import POSITION, Logger, Row, RunInfo
from lrsched.masked import mask
from lrsched.records import RunFolder, read_metrics, write_json

LONGEST = 300
"""Letters of a package's message that are repeated."""

_LOGIN = re.compile(r"://[^/\s]*@")
"""A name and a password in an address: packages repeat them in their messages."""


@dataclass
class Sent:
    """What a tracker has of a run.

    Args:
        id: by which the tracker knows the run, the same after every resume; None before the first.
        rows: of ``metrics.jsonl``, from its beginning.
        sending: as many as the tracker has if what was being sent has arrived.
        shown: the last step of which pictures and texts were sent.
        ended: the step whose final metrics were sent.
    """

    id: str | None = None
    rows: int = 0
    sending: int = 0
    shown: int = -1
    ended: int = -1


@dataclass(frozen=True)
class Shown:
    """A picture or a text, as a file of the run folder."""

    step: int
    name: str
    file: Path


class Tracker(Logger):
    """Hands the rows of a run to another package.

    - A row is sent once a checkpoint holds what led to it: a run that is killed and resumed makes the later rows again.
      What was sent is counted in a file of the run folder, ``NAME.json``; on opening, what the tracker lacks of the
      rows before is sent first, of a logger too that is added on resume.
    - Whatever goes wrong in the package is said once, in one line; the run goes on, and a resume sends what is missing.
    - The config that is sent has the names of variables of the environment, not their values.

    A subclass has the methods at the end.

    Raises:
        ConfigError: the package is not installed.
    """

    name: ClassVar[str]
    """Of the logger's YAML and of the package, which is imported when the run begins."""

    def __init__(self) -> None:
        if find_spec(self.name) is None:
            remedy = f"pip install 'hydra-lrsched[{self.name}]', or go on without it: logger=tensorboard"
            raise ConfigError("logger", self.name, f"needs the package {self.name}, which is not installed", remedy)
        self._works = False

    def open(self, run: RunInfo) -> None:
        self._run, self._file = run, run.folder / f"{self.name}.json"
        self._works, self._sent = True, Sent()
        self._waiting: list[Row | Shown] = []
        self._step = run.resumed_at or 0
        rows = [] if run.resumed_at is None else list(_rows_before(run.resumed_at, RunFolder(run.folder).metrics))
        self._next = len(rows)
        self._harmless(lambda: self._begin(rows))

    def write(self, row: Row) -> None:
        self._next += 1
        self._step = int(row["step"])
        if self._works and self._next > self._sent.rows:
            self._waiting.append(row)

    def show(self, step: int, name: str, content: bytes | str) -> None:
        file = self._run.folder / "shown" / f"{step:010d}-{name}.{'txt' if isinstance(content, str) else 'png'}"
        if self._works and step > self._sent.shown:
            self._waiting.append(Shown(step, name, file))

    def saved(self, step: int) -> None:
        self._harmless(self._send)

    def close(self, metrics: Mapping[str, float], status: str = "finished") -> None:
        self._harmless(lambda: self._end(metrics, status))

    @property
    def look(self) -> str:
        return self.where() if self._works else ""

    def _begin(self, rows: list[Row]) -> None:
        """Begin the run, or go on with it; send what the tracker lacks of the rows before."""
        self._sent = self._read() or Sent()
        self._sent.id = self.start(self._run, self._sent.id)
        self._write()
        if self._sent.sending > self._sent.rows:
            self._settle(rows)
        self._waiting = [*rows[self._sent.rows :]]
        self._send()

    def _end(self, metrics: Mapping[str, float], status: str) -> None:
        """End the run; only a finished one has rows left to send, and final metrics."""
        done = status == "finished"
        if done:
            self._send()
        final = {} if not done or self._sent.ended == self._step else numbers(metrics)
        self.end(self._step, final, status)
        if final:
            self._sent.ended = self._step
            self._write()

    def _send(self) -> None:
        """Send what waits."""
        rows = [item for item in self._waiting if not isinstance(item, Shown)]
        if self._waiting:
            self._sent.sending = self._sent.rows + len(rows)
            self._write()
            self.send(self._waiting)
            shown = [item.step for item in self._waiting if isinstance(item, Shown)]
            self._sent.shown = max([self._sent.shown, *shown])
            self._sent.rows = self._sent.sending
            self._write()
        self._waiting = []

    def _settle(self, rows: Sequence[Row]) -> None:
        """Find how many of the rows have arrived that were being sent when the process was killed."""
        while self._sent.rows < self._sent.sending:
            here = self._sent.rows
            if here < len(rows) and not self.has(rows[here]):
                break
            self._sent.rows += 1
        self._sent.sending = self._sent.rows
        self._write()

    def _read(self) -> Sent | None:
        with suppress(FileNotFoundError):
            return Sent(**json.loads(self._file.read_text("utf-8")))
        return None

    def _write(self) -> None:
        write_json(self._file, asdict(self._sent))

    def _harmless(self, do: Callable[[], None]) -> None:
        """Do it, unless the package has failed before; where it fails, say so once."""
        if not self._works:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the package's own code
                do()
        except Exception as error:
            self._works, self._waiting = False, []
            said = mask().hide(f"{type(error).__name__}: {error}")
            reason = without_login(" ".join(said.split()))[:LONGEST]
            say(
                f"warning: logger.{self.name}: {reason}; the run goes on without it, and a resume sends what is missing"
            )

    @abstractmethod
    def start(self, run: RunInfo, id: str | None) -> str:
        """Begin the run in the tracker, or go on with the one of this id; return its id."""

    @abstractmethod
    def send(self, items: Sequence[Row | Shown]) -> None:
        """Send rows and what was shown, in order; return when they have arrived."""

    def has(self, row: Row) -> bool:
        """Whether a row has arrived that was being sent when the process was killed."""
        return True

    def where(self) -> str:
        """How to look at the run in the tracker; empty: there is no command for it."""
        return ""

    @abstractmethod
    def end(self, step: int, metrics: Mapping[str, float], status: str) -> None:
        """End the run in the tracker, with its final metrics if they were not sent yet."""


def without_login(text: str) -> str:
    """A text in which no address has a name and a password.

    >>> without_login("https://me:secret@host/x refused")
    'https://…@host/x refused'
    """
    return _LOGIN.sub("://…@", text)


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The measurements of a row.

    >>> numbers({"step": 3, "epoch": 0.5, "val/loss": 0.25, "note": "text"})
    {'val/loss': 0.25}
    """
    return {name: value for name, value in row.items() if name not in POSITION and isinstance(value, (int, float))}


def _rows_before(step: int, path: Path) -> Iterator[Row]:
    """The rows that a resumed run keeps."""
    with suppress(FileNotFoundError):
        yield from (row for row in read_metrics(path) if row["step"] < step)
