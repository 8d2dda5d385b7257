"""The files of a run and how they are written; loggers and reports read them, never the model. Imports no torch."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from lrsched.errors import CheckpointError, ConfigError
from lrsched.numbers import finite, whole

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""The form of a run's name and of a run id: a path of such names can be pasted into an override."""

AVERAGE = "average/"
"""Stands between the part and the name of a metric of averaged weights, as in ``val/average/loss``."""

DATA = "data_sha256"
"""The name of the data's hash in a manifest, in a result and among the keys of a change."""

ENSEMBLE = "ensemble/"
"""Stands there for a metric of the snapshots of a run together, as in ``test/ensemble/loss``."""


def with_averages(of: Mapping[str, str]) -> dict[str, str]:
    """What is said of each metric, also said of it for averaged weights.

    >>> with_averages({"loss": "min"})
    {'loss': 'min', 'average/loss': 'min'}
    """
    return {**of, **{f"{AVERAGE}{name}": said for name, said in of.items()}}


def of_ensembles(of: Mapping[str, str]) -> dict[str, str]:
    """What is said of each metric, said of it for snapshots together.

    >>> of_ensembles({"loss": "min"})
    {'ensemble/loss': 'min'}
    """
    return {f"{ENSEMBLE}{name}": said for name, said in of.items()}


def check_name(key: str, name: str) -> str:
    """The name itself, if it is one that cannot leave its folder."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            key,
            name,
            "a name starts with a letter or a digit and has at most 100 letters, digits, dots, underscores and dashes",
            "give another name",
        )
    return name


class _File(NamedTuple):
    """A file of a run's folder. Its path is made when it is asked for: of a thousand runs few are."""

    name: str

    def __get__(self, folder: RunFolder, owner: type[RunFolder]) -> Path:
        return folder.path / self.name


class RunFolder:
    """The files of one run, by the names that the contract fixes."""

    config = _File("config.yaml")
    metrics = _File("metrics.jsonl")
    timing = _File("timing.jsonl")
    result = _File("result.json")
    checkpoints = _File("checkpoints")
    log = _File("train.log")
    shown = _File("shown")
    snapshots = _File("snapshots")

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def holds_a_run(self) -> bool:
        """Whether a run was started here: its config is the first thing that a run writes."""
        return self.config.exists()

    def read_result(self) -> dict[str, Any] | None:
        """The result of the run; None if the file is missing or damaged."""
        try:
            result = json.loads(self.result.read_bytes().decode())
        except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
            return None
        return cast(dict[str, Any], result) if isinstance(result, dict) else None


class Rows:
    """A JSON-lines file that is appended to, one object a row, and cut back to a known end on resume.

    Args:
        path: the file.
        start: bytes to keep of what is there; rows after them belong to steps that are run again.

    Raises:
        CheckpointError: there is less in the file: rows of completed steps are missing.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self._file = open(path, "ab")  # noqa: SIM115  (lives as long as the run)
        size = self._file.seek(0, os.SEEK_END)
        if size < start:
            self._file.close()
            raise CheckpointError(
                f"{path} has {size} bytes, and the checkpoint was made when it had {start}; put the whole file back"
            )
        self._file.truncate(start)
        self._file.seek(start)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row. A number that is not finite is refused: it would not be JSON."""
        self._file.write(json.dumps(row, allow_nan=False).encode() + b"\n")

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()

    def offset(self) -> int:
        """Bytes written so far, all of them durable: a checkpoint that names them may not outlive them."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def cut(self, end: int) -> None:
        """Forget the rows after the first ``end`` bytes."""
        self._file.truncate(end)
        self._file.seek(end)

    def close(self) -> None:
        self._file.close()


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file.

    Skip a last row that a killed process left half-written.
    """
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``: each has a step.

    Raises:
        CheckpointError: a line is no such row.
    """
    with open(path, encoding="utf-8", errors="replace") as lines:
        for place, line in enumerate(lines, start=1):
            if line.endswith("\n"):
                yield as_row(line, f"{path}: line {place}")


def as_row(line: str | bytes, what: str = "the line") -> dict[str, Any]:
    """A row of a run.

    Raises:
        CheckpointError: it is none.
    """
    with suppress(ValueError, RecursionError):
        row: Any = json.loads(line)
        if isinstance(row, dict) and whole(cast(dict[str, Any], row).get("step")) is not None:
            return cast(dict[str, Any], row)
    raise CheckpointError(f"{what} is no row of a run, with a step from 0 on; put the whole file back")


@contextmanager
def replaced(path: Path, mode: int = 0o666) -> Generator[tuple[int, Path]]:
    """Open a temporary file in the same folder, whose content becomes that of ``path`` at the end, or not at all.

    A process that is killed in between leaves the temporary file, ``.NAME.….tmp``. Its name is drawn anew each
    time: what such a process left is in nobody's way, and nobody's work is taken for left over.

    Yields:
        The temporary file's descriptor and path.

    Raises:
        OSError: the file system refused, with ``path`` named; what was at ``path`` before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            try:
                yield descriptor, temporary
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):  # what went wrong first is what must be said; the next run sweeps this away
                os.unlink(temporary)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a whole file or nothing: see :func:`replaced`."""
    with replaced(path, mode) as (descriptor, _):
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]


def make_folder(path: Path) -> None:
    """Make a folder and the folders above it that are missing, all of them durable.

    Raises:
        OSError: the file system refused.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    if missing:
        path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)


def sync_folder(path: Path) -> str | None:
    """Make the names in a folder durable: a rename lives in the folder, not in the file.

    Returns:
        Why this file system cannot do it, as some network mounts cannot; None: it is done.

    Raises:
        OSError: the file system failed, with ``path`` named.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        return error.strerror
    return None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically; numbers that are not finite become null, as JSON has none."""
    text = json.dumps(finite(content), indent=2, allow_nan=False) + "\n"
    write_atomically(path, text.encode())
