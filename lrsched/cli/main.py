"""The command ``lrsched``, for an installed package: ``lrsched train [key=value …]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import hydra
from omegaconf import DictConfig

from lrsched.cli import open_door, run_config
from lrsched.cli.flags import COMPLETION
from lrsched.config.targets import trusted
from lrsched.console import forgive_readers, say
from lrsched.errors import ConfigError, nearest
from lrsched.machine.waiting import wait_shortly
from lrsched.ranks.place import given_place

COMMANDS = {
    "new": ("FOLDER", "a project of your own that runs at once"),
    "train": ("[key=value …]", "one run, or with -m a sweep"),
    "preview": ("[key=value …] [--png F] [--csv F]", "the schedule of this config, beforehand"),
    "find": ("[key=value …] [--png F]", "its learning rate, and the override to paste"),
    "report": ("PATH… [--html F] [--png FOLDER]", "runs and sweeps compared fairly"),
    "watch": ("PATH…", "the same page in a browser while runs go on"),
    "evaluate": ("RUN_FOLDER [--weights best]", "the metrics of a run's weights"),
    "schema": ("[FOLDER] [--lines]", "what an editor knows your YAML files by"),
    "completion": ("bash | zsh", "TAB completes; to be evaluated by the shell"),
    "check": ("RUN_FOLDER …", "are a run's checkpoints intact?"),
}
"""What each takes and does."""

BUILDERS = ("train", "preview", "find", "evaluate", "schema")
"""Those that build what a config names; the others run no code of a user's own."""


@hydra.main(version_base="1.3", config_path="pkg://lrsched.conf", config_name="config")
def train(cfg: DictConfig) -> float | None:
    """One run, or with -m a sweep."""
    return run_config(cfg)


def main(words: Sequence[str] | None = None) -> None:
    """Run a command, and exit with its code: the entry point of the console script.

    Args:
        words: its name and arguments; those of the process by default.
    """
    forgive_readers()
    wait_shortly()
    name, *arguments = (sys.argv[1:] if words is None else words) or ["--help"]
    if name in ("-h", "--help"):
        lines = [f"  lrsched {command:<10} {takes:<33}  {does}" for command, (takes, does) in COMMANDS.items()]
        rest = ["More", "  lrsched NAME --help       one screen about a command; --help=all: the rest"]
        print("\n".join(["Learning-rate schedules, trained and compared, from YAML.", "Run", *lines, *rest]))
        return
    if name in COMPLETION:
        from lrsched.cli.replies import answer  # for a shell alone
        from lrsched.compose.hydra_setup import register

        register()
        sys.exit(0 if answer(arguments, train, list(COMMANDS)) else 2)
    if name not in COMMANDS:
        print(f"lrsched: there is no command {name!r}; {nearest(name, COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    try:
        if name in BUILDERS and trusted():  # a trusted module may lie in the current folder, as with python train.py
            sys.path.insert(0, "")
    except ConfigError as error:
        say(str(error))
        sys.exit(error.exit_code)
    if name != "train" and given_place() is not None:
        say(f"lrsched {name}: is one process, and torchrun has started several; start it without torchrun")
        sys.exit(2)
    if name != "train":
        sys.exit(import_module(f"lrsched.cli.{name}").main(arguments))
    open_door(train, arguments)
