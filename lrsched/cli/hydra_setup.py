"""Set Hydra up for lrsched (the schema, the resolver of run ids, the plugins, Python 3.14), and call it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

import lrsched
from lrsched.compose.choices import hide_shared_files
from lrsched.compose.nodes import plain
from lrsched.config import schema
from lrsched.config.digest import config_sha256
from lrsched.config.run_id import id_of

PLUGINS = str(Path(lrsched.__file__).parent / "_hydra")
"""The folder in which Hydra finds our launcher and sweepers: it holds a part of the namespace ``hydra_plugins``."""

_check_help = getattr(argparse.ArgumentParser, "_check_help", None)  # Python 3.14 has it


def register() -> None:
    """Make Hydra know lrsched, in this process. Calling it again changes nothing.

    Each entry point calls it before Hydra composes a config. So does :func:`lrsched.cli.job.run_config` when it is
    unpickled: the process of another launcher composes a config of its own.
    """
    ConfigStore.instance().store(name="schema", node=schema.RunConfig)
    OmegaConf.register_new_resolver("run_id", run_id, replace=True)
    hide_shared_files()
    if PLUGINS not in sys.path:
        sys.path.append(PLUGINS)
    if _check_help is not None:
        argparse.ArgumentParser._check_help = _check_text  # type: ignore[attr-defined]


def call(main: Callable[[], Any], arguments: Sequence[str]) -> None:
    """Call a ``@hydra.main`` function with these arguments: it reads ``sys.argv``, which is as before afterwards."""
    before = sys.argv
    sys.argv = [*before[:1], *arguments]
    try:
        main()
    finally:
        sys.argv = before


def run_id(*, _root_: DictConfig) -> str:
    """``${run_id:}``: the folder name of a job whose sweeper gives it none."""
    root = OmegaConf.to_container(_root_, resolve=False)
    assert isinstance(root, dict)
    overrides = [str(item) for item in root["hydra"]["overrides"]["task"]]
    own = OmegaConf.masked_copy(_root_, [str(key) for key in root if key != "hydra"])
    return id_of(overrides, config_sha256(plain(own)))


def _check_text(self: argparse.ArgumentParser, action: argparse.Action) -> None:
    """Check a help text, but not the objects that Hydra 1.3 gives as help, which Python 3.14 refuses."""
    assert _check_help is not None
    if isinstance(action.help, (str, type(None))):
        _check_help(self, action)
