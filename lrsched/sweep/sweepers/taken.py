"""Whether a folder holds what another sweeper made."""

from __future__ import annotations

from pathlib import Path

import yaml

from lrsched.errors import ConfigError
from lrsched.sweep.record import FILE


def refuse_other_sweep(folder: Path, sweeper: str) -> None:
    """Refuse the name of a sweep that another sweeper made: a study would list its own trials in the other's record.

    Args:
        folder: of the sweep.
        sweeper: the ``_target_`` of the study's.

    Raises:
        ConfigError: names it.
    """
    made = _made_by(folder)
    if made and made != sweeper:
        raise ConfigError("name", folder.name, f"{folder} already holds a sweep that is no study", "give another name")


def refuse_study(folder: Path) -> None:
    """Refuse the name of a study for another sweep: its runs would stand among the trials.

    Raises:
        ConfigError: names it.
    """
    if _made_by(folder).endswith(".OptunaSweeper"):
        raise ConfigError("name", folder.name, f"{folder} already holds a study", "give another name")


def _made_by(folder: Path) -> str:
    """The ``_target_`` of the sweeper that made the sweep in a folder; empty where nothing says so."""
    try:
        made = yaml.safe_load((folder / "multirun.yaml").read_text("utf-8"))["hydra"]["sweeper"]["_target_"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return ""
    return str(made) if (folder / FILE).exists() else ""
