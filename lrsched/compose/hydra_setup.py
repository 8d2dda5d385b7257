"""Set Hydra up for lrsched (schema, resolvers, plugins, Python 3.14), and call it."""

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
from lrsched.compose.nodes import as_written, plain
from lrsched.compose.secrets import ENV, env
from lrsched.config import schema
from lrsched.config.digest import config_sha256
from lrsched.config.run_id import id_of

SCHEMA = "schema.yaml"
"""The name of the schema in Hydra's store."""

RUN_ID = "run_id"
"""The name of the resolver of run ids."""

PLUGINS = str(Path(lrsched.__file__).parent / "_hydra")
"""The folder of our launcher and sweepers, a part of the namespace ``hydra_plugins``, where Hydra finds them."""

_check_help = getattr(argparse.ArgumentParser, "_check_help", None)  # Python 3.14 has it


def register() -> None:
    """Register lrsched with Hydra, in this process. A second call changes nothing.

    Each entry point calls it before Hydra composes a config. So does :func:`lrsched.cli.job.run_config` when it is
    unpickled, in the process of another launcher, which composes a config of its own.
    """
    ConfigStore.instance().store(name=SCHEMA.removesuffix(".yaml"), node=schema.RunConfig)
    OmegaConf.register_new_resolver(RUN_ID, run_id, replace=True)
    OmegaConf.register_new_resolver(ENV, env, replace=True)
    hide_shared_files()
    if PLUGINS not in sys.path:
        sys.path.append(PLUGINS)
    if _check_help is not None:
        argparse.ArgumentParser._check_help = _check_text  # type: ignore[attr-defined]


def call(main: Callable[[], Any], arguments: Sequence[str]) -> None:
    """Call a ``@hydra.main`` function with these arguments: set ``sys.argv``, which it reads, for that time."""
    before = sys.argv
    sys.argv = [*before[:1], *arguments]
    try:
        main()
    finally:
        sys.argv = before


def run_id(*, _root_: DictConfig) -> str:
    """Resolve ``${run_id:}``: the folder name of a job whose sweeper gives it none."""
    root = as_written(_root_)
    overrides = [str(item) for item in root["hydra"]["overrides"]["task"]]
    own = OmegaConf.masked_copy(_root_, [str(key) for key in root if key != "hydra"])
    return id_of(overrides, config_sha256(plain(own)))


def _check_text(self: argparse.ArgumentParser, action: argparse.Action) -> None:
    """Check a help text, as Python 3.14 does; pass over the objects that Hydra 1.3 gives instead of a text."""
    text: Any = action.help
    if _check_help is not None and (text is None or isinstance(text, str)):
        _check_help(self, action)
