"""The command ``lrsched``, for an installed package: ``lrsched train [key=value …]``."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from lrsched.app import open_door, task
from lrsched.errors import nearest

COMMANDS = ("train",)


@hydra.main(version_base="1.3", config_path="pkg://lrsched.conf", config_name="config")
def train(cfg: DictConfig) -> float | None:
    """One run, or with -m a sweep."""
    return task(cfg)


def main() -> None:
    """Entry point of the console script."""
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("-h", "--help"):
        print("usage: lrsched train [key=value …]\n\nlrsched train --help shows every choice and every key.")
        return
    if command not in COMMANDS:
        print(f"lrsched: there is no command {command!r}; {nearest(command, COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    del sys.argv[1]
    open_door(train)
