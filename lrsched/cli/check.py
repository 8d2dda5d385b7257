"""``lrsched check``: are a run's checkpoints intact, and would they load? Nothing on disk is changed."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from lrsched.checkpoint.lock import holder
from lrsched.checkpoint.places import MANIFEST, Checkpoint, survey
from lrsched.console import say, tell
from lrsched.errors import UNSET, CheckpointError, ConfigError, StorageError, UserError
from lrsched.records import RunFolder
from lrsched.runs.resume import must_hold_a_run

LOOKS = 40
"""How often a folder is looked at in which every checkpoint was deleted, for newer ones, while it was read."""

EPILOG = """\
Each checkpoint is read whole: its manifest, its size, its SHA-256, the form of its archive; then it is loaded as data
(weights_only=True) into nothing. It is compared with nothing: an intact checkpoint may still be that of another run.

exit code: 0 the newest checkpoint is valid; 4 it is damaged, or there is none; 2 there is no run in the folder;
6 the file system refused. Of several folders, the highest.
"""


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError("RUN_FOLDER", UNSET, message, "lrsched check --help shows what it takes")


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code. What is wrong with a folder is one message on stderr."""
    code = 0
    try:
        folders = _parser().parse_args(arguments).folders
    except UserError as error:
        say(str(error))
        return error.exit_code
    for folder in folders:
        try:
            for line in report(RunFolder(Path(folder))):
                tell(line)
        except (UserError, OSError) as failure:
            known = (
                failure if isinstance(failure, UserError) else StorageError(f"{failure.filename}: {failure.strerror}")
            )
            say(str(known))
            code = max(code, known.exit_code)
    return code


def report(folder: RunFolder) -> Iterator[str]:
    """What there is to say of a run folder, line by line.

    Raises:
        ConfigError: there is no run in it.
        CheckpointError: its newest checkpoint is not valid, told when all lines are out.
    """
    must_hold_a_run("RUN_FOLDER", folder)
    found, complaints = _looked_at(folder)
    writer = holder(folder.path)
    yield _printable(f"{folder}: {_status(folder)}; {f'{writer} writes to it' if writer else 'nobody writes to it'}")
    if found:
        yield _printable(f"  config {found[0].manifest.get('config_sha256', 'unknown')}")
        yield f"  {'step':>10}  {'bytes':>13}  {'sha256':<16}"
    for checkpoint, complaint in zip(found, complaints, strict=True):
        size, digest = checkpoint.manifest.get("bytes", "?"), checkpoint.manifest.get("sha256", "?")[:16]
        shown = f"{size:>13,}" if isinstance(size, int) else f"{size:>13}"
        yield _printable(f"  {checkpoint.step:>10}  {shown}  {digest:<16}  {complaint or 'intact'}")
    if not complaints:
        raise CheckpointError(f"no valid checkpoint in {folder.checkpoints}: there is none")
    if complaints[0]:
        older = "an older one is taken on resume" if "" in complaints else "none is left to resume from"
        raise CheckpointError(f"the newest checkpoint is not valid: {complaints[0]}; {older}")


def _looked_at(folder: RunFolder) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints and what is wrong with each; a process that writes meanwhile deletes old ones for new ones."""
    for _ in range(LOOKS):
        looked = [(checkpoint, _complaint(checkpoint)) for checkpoint in survey(folder.checkpoints)]
        left = [(checkpoint, complaint) for checkpoint, complaint in looked if complaint is not None]
        if left or not holder(folder.path):
            return [checkpoint for checkpoint, _ in left], [complaint for _, complaint in left]
        time.sleep(0.05)
    return [], []


def _complaint(checkpoint: Checkpoint) -> str | None:
    """What is wrong with a checkpoint, "" where nothing is, None where a running process just deleted it."""
    from lrsched.checkpoint.store import load  # imports torch

    try:
        load(checkpoint)
    except CheckpointError as error:
        return str(error) if os.path.lexists(checkpoint.path / MANIFEST) or checkpoint.damaged else None
    return ""


def _status(folder: RunFolder) -> str:
    """How the run ended, by its result."""
    result = folder.read_result()
    if result is None:
        return f"{folder.result.name} cannot be read" if folder.result.exists() else "no result yet"
    return f"{result.get('status', 'no status')}, {result.get('reason', 'no reason')}"


def _printable(text: str) -> str:
    """The text without what a terminal would obey: a run folder may be a stranger's."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _parser() -> argparse.ArgumentParser:
    parser = _Arguments(
        prog="lrsched check",
        description="Verify a run's checkpoints, and print their steps and hashes. Nothing is changed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folders", nargs="+", metavar="RUN_FOLDER", help="as outputs/first; several can be given")
    return parser
