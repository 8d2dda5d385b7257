"""The folders of a sweep's runs: one for each config, whatever words made it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsched.compose.nodes import plain
from lrsched.compose.stored import read_config
from lrsched.config.digest import config_sha256
from lrsched.config.run_id import DIGITS
from lrsched.errors import CheckpointError, UserError
from lrsched.records import RunFolder


class Folders:
    """The folders of the runs in a sweep's folder, those that are there and those that are planned.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._there = folder, _by_digits(folder)
        self._planned: dict[str, RunFolder] = {}  # by the hash of the config

    def of(self, name: str, digest: str) -> RunFolder:
        """The folder of a job's run: that of an equal job or an existing run, even if other overrides made it.

        Args:
            name: that the job would give it.
            digest: hash of its config.
        """
        if digest not in self._planned:
            self._planned[digest] = self._existing(name, digest) or RunFolder(self._folder / name)
        return self._planned[digest]

    def _existing(self, name: str, digest: str) -> RunFolder | None:
        alike = [RunFolder(self._folder / other) for other in self._there.get(digest[:DIGITS], ())]
        if any(folder.path.name == name for folder in alike):
            return None
        return next((folder for folder in alike if _is_of(folder, digest)), None)


def must_be_of(folder: RunFolder, digest: str, result: Mapping[str, Any]) -> None:
    """Refuse a finished run, with this result, whose config differs from the one in its name."""
    if result.get("config_sha256") != digest:
        error = CheckpointError(
            f"{folder} holds a run whose config differs from its name, because it was extended or changed; "
            f"go on with it by resume={folder}, or move it away to make this one anew"
        )
        error.repeatable = False
        raise error


def _by_digits(folder: Path) -> dict[str, list[str]]:
    """The run folders in a sweep's folder, by the hash digits at the end of their names."""
    found: dict[str, list[str]] = defaultdict(list)
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found[entry.name[-DIGITS:]].append(entry.name)
    return found


def _is_of(folder: RunFolder, digest: str) -> bool:
    """Whether the run in a folder was made with a config of this hash."""
    with suppress(UserError):
        return config_sha256(plain(read_config(folder))) == digest
    return False
