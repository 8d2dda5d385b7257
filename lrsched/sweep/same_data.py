"""Whether the runs that a sweep finds in its folder were made from the data that it has now.

The hash of a run's config is in its name, and a config names data: a file that was overwritten since, or an object that
a script gives, may hold others under the same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.checkpoint.places import survey
from lrsched.config.digest import is_fixed
from lrsched.errors import CheckpointError, ConfigError
from lrsched.records import DATA, RunFolder
from lrsched.runs.auto_resume import AUTO

if TYPE_CHECKING:
    from lrsched.config.settings import Settings
    from lrsched.sweep.sweep import Valid


def refuse_other_data(folder: Path, jobs: Iterable[Valid], known: dict[str, str | None]) -> None:
    """Refuse the name of a sweep with runs that were made from other data than those of now.

    A run that is resumed by hand may lie anywhere, and answers for itself. Data that cannot change are not loaded.

    Args:
        folder: of the sweep.
        jobs: of it; those without a run cost nothing.
        known: hashes of data that were loaded before; more are put in.

    Raises:
        ConfigError: names a run, and both hashes.
    """
    for job in jobs:
        run = job.settings
        unasked = run.resume not in (None, AUTO) or is_fixed({"_target_": run.dataset.target})
        made = None if unasked else _made_from(job.folder)
        now = None if made is None else hash_of(run, known)
        if made is not None and now is not None and made != now:
            raise other_data(folder, made, now, f"{job.folder} was trained on")


def other_data(folder: Path, made: str, now: str, what: str) -> ConfigError:
    """The error that a folder holds what was made from other data.

    Args:
        folder: whose name was given.
        made: the hash of the data then.
        now: the hash of the data now.
        what: and its verb.
    """
    rule = f"{folder} already holds runs of other data: {what} SHA-256 {made[:12]}…, and they have {now[:12]}… now"
    return ConfigError("name", folder.name, rule, "give another name, or bring the data back")


def hash_of(run: Settings, known: dict[str, str | None]) -> str | None:
    """The hash of a run's data; None where they cannot be loaded: the run itself will say why.

    Args:
        run: the settings.
        known: hashes of data that were loaded before; this one is put in.
    """
    from lrsched.assembly.data import asked_of, hash_each  # imports torch

    if asked_of(run) not in known:
        known |= {asked_of(run): None, **hash_each([run])}
    return known[asked_of(run)]


def _made_from(folder: RunFolder) -> str | None:
    """The hash of the data that a run was made from, by its result or its newest checkpoint; None: nothing says so."""
    if not folder.holds_a_run():
        return None
    said = folder.read_result()
    with suppress(OSError, CheckpointError):
        said = said or next((found.manifest for found in survey(folder.checkpoints) if not found.damaged), None)
    made = (said or {}).get(DATA)
    return made if isinstance(made, str) else None
