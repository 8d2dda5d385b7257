"""The command ``lrsched``, for an installed package: ``lrsched train [key=value …]``."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from lrsched.cli import open_door, run_config
from lrsched.config.targets import trusted
from lrsched.console import forgive_readers
from lrsched.errors import nearest

COMMANDS = {
    "train": "[key=value …]                          one run, or with -m a sweep",
    "preview": "[key=value …] [--png F] [--csv F]      the schedule of this config, before it is run",
    "report": "PATH… [--json F] [--png FOLDER]        runs and sweeps compared fairly",
    "check": "RUN_FOLDER …                           are a run's checkpoints intact?",
}


@hydra.main(version_base="1.3", config_path="pkg://lrsched.conf", config_name="config")
def train(cfg: DictConfig) -> float | None:
    """One run, or with -m a sweep."""
    return run_config(cfg)


def main() -> None:
    """Entry point of the console script."""
    forgive_readers()
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("-h", "--help"):
        lines = [f"  lrsched {name:<8} {line}" for name, line in COMMANDS.items()]
        print("\n".join(["usage:", *lines, "", "lrsched train --help shows every choice and every key."]))
        return
    if command not in COMMANDS:
        print(f"lrsched: there is no command {command!r}; {nearest(command, COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    if command == "preview":
        from lrsched.cli.preview import main as preview

        sys.exit(preview(sys.argv[2:]))
    if command == "report":
        from lrsched.cli.report import main as report

        sys.exit(report(sys.argv[2:]))
    if command == "check":
        from lrsched.cli.check import main as check

        sys.exit(check(sys.argv[2:]))
    del sys.argv[1]
    if trusted():  # as with python train.py, a module that is trusted may lie in the current folder
        sys.path.insert(0, "")
    open_door(train)
