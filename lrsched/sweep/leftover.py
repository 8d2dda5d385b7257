"""What the end of a sweep says of the runs that did not come to theirs."""

from __future__ import annotations

from omegaconf import OmegaConf

from lrsched.errors import ConfigError
from lrsched.sweep.sweep import current


def and_what_is_left() -> str:
    """How to go on with the sweep of this process, to be added to why it ended; nothing where no run is left.

    A run whose config cannot be used is not left: the same command would come to the same end.
    """
    sweep = current()
    if sweep is None or not sweep.record.folder.is_dir():
        return ""
    if all(entry.is_done or entry.exit_code == ConfigError.exit_code for entry in sweep.record.entries):
        return ""
    named = "" if not OmegaConf.is_interpolation(sweep.config, "name") else f" with name={sweep.config.name}"
    return f"; the same command{named} goes on with what is left"
