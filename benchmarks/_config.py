"""The config of a command line, for the benchmarks that make the parts of a run themselves."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_module

from lrsched.compose.hydra_setup import register
from lrsched.compose.nodes import plain


def composed(*overrides: str) -> dict[str, Any]:
    """What ``python train.py OVERRIDES`` composes."""
    register()
    with initialize_config_module("lrsched.conf", version_base="1.3"):
        return plain(compose("config", list(overrides)))
