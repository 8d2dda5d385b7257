"""Where a run starts from other weights than its own: read them, and tell whether their source has changed since."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.checkpoint.places import survey
from lrsched.config.settings import Settings
from lrsched.errors import CheckpointError, ConfigError
from lrsched.records import RunFolder
from lrsched.runs.resume import must_hold_a_run

if TYPE_CHECKING:
    from lrsched.assembly.weights import Initial

INITIAL = "init_sha256"
"""The name of the source's hash in a manifest and in a result: of the file, or of the run's newest checkpoint."""


def initial_weights(run: Settings) -> tuple[Initial, str] | None:
    """The weights that a run starts from, and the hash of their source; None: its own.

    Raises:
        ConfigError: there is no such file or run, or it holds no weights.
        CheckpointError: the run has no valid checkpoint.
    """
    if run.init_from is None:
        return None
    from lrsched.assembly.weights import Initial  # imports torch
    from lrsched.models.files import ENDINGS, read_weights
    from lrsched.runs.weights import saved_weights

    path = Path(run.init_from)
    if path.is_file():
        weights = read_weights(path, "init_from")
        return Initial(run.init_from, weights, run.init_match), _sha256(path)
    if not path.is_dir() and path.suffix in ENDINGS:
        raise ConfigError("init_from", run.init_from, "there is no such file")
    folder = RunFolder(path)
    must_hold_a_run("init_from", folder)
    saved = saved_weights(folder)
    return Initial(run.init_from, saved.weights, run.init_match), str(saved.checkpoint.manifest["sha256"])


def begun_with(folder: RunFolder) -> str | None:
    """The hash of the source that the run in a folder started from, as its newest checkpoint says; or None."""
    found = (checkpoint.manifest.get(INITIAL) for checkpoint in survey(folder.checkpoints) if not checkpoint.damaged)
    return next(found, None)


def changed_source(begun: str | None, init_from: str | None) -> bool:
    """Whether ``init_from`` holds other weights by now than those that a run began with; False where it is gone.

    Args:
        begun: the source's hash when the run began, or None.
        init_from: of its config.
    """
    if begun is None or init_from is None:
        return False
    path = Path(init_from)
    with suppress(OSError):
        if path.is_file():
            return _sha256(path) != begun
        newest = next(
            (item.manifest["sha256"] for item in survey(RunFolder(path).checkpoints) if not item.damaged), begun
        )
        return newest != begun
    return False


def refuse_changed_source(folder: RunFolder, init_from: str | None) -> None:
    """Refuse to take the run in a folder for one that starts from ``init_from`` as it is now.

    Raises:
        CheckpointError: it started from other weights.
    """
    if init_from is not None and changed_source(begun_with(folder), init_from):
        error = CheckpointError(
            f"{folder} began with other weights than init_from={init_from} holds now; bring them back, or begin "
            "runs of another name"
        )
        error.repeatable = False
        raise error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
