"""``lrsched check``: verify that a run's checkpoints are intact and load. Change nothing on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from lrsched.checkpoint.lock import holder
from lrsched.checkpoint.places import MANIFEST, Checkpoint, survey
from lrsched.cli.command import Parser, exit_code
from lrsched.console import tell
from lrsched.errors import CheckpointError
from lrsched.records import RunFolder
from lrsched.runs.resume import must_hold_a_run

LOOKS = 40
"""Times to read a folder while its run deletes every checkpoint for a newer one."""

EPILOG = """\
Each checkpoint is read whole: its manifest, its size, its SHA-256, the form of its archive; then it is loaded as data
(weights_only=True) into nothing. It is compared with nothing: an intact checkpoint may still be that of another run.

exit code: 0 the newest checkpoint and all snapshots are valid; 4 one is damaged, or there is no checkpoint; 2 there is
no run in the folder; 6 the file system refused. Of several folders, the highest.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; print one message on stderr for each folder with a fault. Return the highest exit code."""
    folders: list[Path] = []
    code = exit_code(lambda: folders.extend(parser().parse_intermixed_args(arguments).folders))
    return max([code, *(exit_code(partial(_print_report, folder)) for folder in folders)])


def _print_report(folder: Path) -> None:
    for line in report(RunFolder(folder)):
        tell(line)


def report(folder: RunFolder) -> Iterator[str]:
    """Describe a run folder, line by line.

    Args:
        folder: of the run.

    Raises:
        ConfigError: there is no run in it.
        CheckpointError: its newest checkpoint or a snapshot is not valid; raised after the last line.
    """
    must_hold_a_run("RUN_FOLDER", folder)
    found = _looked_at(folder)
    writer = holder(folder.path)
    yield _printable(f"{folder}: {_status(folder)}; {f'{writer} writes to it' if writer else 'not in use'}")
    if found:
        yield _printable(f"  config {found[0][0].manifest.get('config_sha256', 'unknown')}")
        yield f"  {'step':>10}  {'bytes':>13}  {'sha256':<16}"
    yield from (_line(checkpoint, complaint) for checkpoint, complaint in found)
    snapshots: list[tuple[Checkpoint, str | None]] = []
    if folder.snapshots.is_dir():
        snapshots = [(snapshot, _complaint(snapshot)) for snapshot in survey(folder.snapshots)]
        yield "  snapshots"
    yield from (_line(snapshot, complaint) for snapshot, complaint in snapshots if complaint is not None)
    if not found:
        raise CheckpointError(f"no valid checkpoint in {folder.checkpoints}: there is none")
    if newest := found[0][1]:
        intact = any(not complaint for _, complaint in found)
        older = "resume takes an older one" if intact else "none is left to resume from"
        raise CheckpointError(f"the newest checkpoint is not valid: {newest}; {older}")
    if damaged := next((complaint for _, complaint in snapshots if complaint), ""):
        raise CheckpointError(f"a snapshot is not valid: {damaged}; an ensemble passes it over")


def _line(checkpoint: Checkpoint, complaint: str) -> str:
    """Describe a checkpoint or a snapshot."""
    size, digest = checkpoint.manifest.get("bytes", "?"), checkpoint.manifest.get("sha256", "?")[:16]
    shown = f"{size:>13,}" if isinstance(size, int) else f"{size:>13}"
    return _printable(f"  {checkpoint.step:>10}  {shown}  {digest:<16}  {complaint or 'intact'}")


def _looked_at(folder: RunFolder) -> list[tuple[Checkpoint, str]]:
    """Read the checkpoints, newest first, each with its fault; again while a process deletes all for newer ones."""
    for _ in range(LOOKS):
        looked = [(checkpoint, _complaint(checkpoint)) for checkpoint in survey(folder.checkpoints)]
        left = [(checkpoint, complaint) for checkpoint, complaint in looked if complaint is not None]
        if left or not holder(folder.path):
            return left
        time.sleep(0.05)
    return []


def _complaint(checkpoint: Checkpoint) -> str | None:
    """Say what is wrong with a checkpoint: "" if nothing, None if a running process has just deleted it."""
    from lrsched.checkpoint.store import load  # imports torch

    try:
        load(checkpoint)
    except CheckpointError as error:
        return str(error) if os.path.lexists(checkpoint.path / MANIFEST) or checkpoint.damaged else None
    return ""


def _status(folder: RunFolder) -> str:
    """Say how the run ended, from its result."""
    result = folder.read_result()
    if result is None:
        return f"{folder.result.name} cannot be read" if folder.result.exists() else "no result yet"
    return f"{result.get('status', 'no status')}, {result.get('reason', 'no reason')}"


def _printable(text: str) -> str:
    """Replace control characters in a text: a run folder may be a stranger's."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def parser() -> Parser:
    """What the command takes."""
    about = "Verify a run's checkpoints, and print their steps and hashes. Nothing is changed."
    found = Parser("check", description=about, epilog=EPILOG)
    found.add_argument(
        "folders", nargs="+", type=Path, metavar="RUN_FOLDER", help="as outputs/first; several can be given"
    )
    return found
