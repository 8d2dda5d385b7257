"""Whether the folder of a study holds what another sweeper made."""

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
    try:
        made = yaml.safe_load((folder / "multirun.yaml").read_text("utf-8"))["hydra"]["sweeper"]["_target_"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return
    if made != sweeper and (folder / FILE).exists():
        raise ConfigError("name", folder.name, f"{folder} already holds a sweep that is no study", "give another name")
