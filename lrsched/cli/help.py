"""Print ``--help``: one screen, or with ``--help=all`` every choice and every key."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lrsched.cli.flags import config_dir
from lrsched.compose.choices import choices_in, own_folders
from lrsched.compose.hydra_setup import call
from lrsched.compose.plugins import GROUPS, installed
from lrsched.config.walk import is_list, is_mapping
from lrsched.console import command

HELP, WHOLE = "--help", "--help=all"
WIDTH = 80
"""Of the one screen."""

SHOWN = {
    "model": ["cnn", "resnet18", "gpt", "unet"],
    "dataset": ["mnist", "cifar10", "table", "imagefolder", "torch"],
    "task": ["regression", "binary", "language_model"],
    "optimizer": ["adamw", "adam", "muon", "rmsprop"],
    "scheduler": ["wsd", "linear", "onecycle", "step", "plateau", "constant"],
    "average": ["ema", "swa"],
    "logger": ["csv"],
    "experiment": ["mnist_cnn"],
}
"""The groups that the one screen shows, and which names of ours first after the default."""

RUN = {
    "scheduler=cosine optimizer.lr=0.03": "one run",
    "-m scheduler=cosine,wsd seed=0,1,2": "a sweep",
    "resume=outputs/NAME": "the rest of a run",
}
KEYS = {
    "trainer.epochs=30": "how long; or trainer.steps=500, in updates",
    "dataset.batch_size=64": "samples in an update; seed=0, name=NAME, device=auto",
    "scheduler.warmup=5%": "of the run; or 2ep (epochs), 500st (steps), 64000sp",
}
FLAGS = {
    "-m": "a sweep over the values between commas, in processes side by side",
    "--cfg job": "show the config, run nothing; --config-dir FOLDER: more YAML files",
}
MORE = {WHOLE: "every choice and key, with these overrides; --hydra-help: Hydra's"}

HEADER = """\
lrsched trains a model from YAML.

  python train.py scheduler=cosine optimizer.lr=0.03     one run
  python train.py -m scheduler=cosine,step,onecycle      a sweep
  python train.py resume=outputs/NAME                    the rest of a run

== Choices (group=NAME; several loggers: logger=[tensorboard,csv]) ==
"""
FOOTER = """
TAB completes all this after: eval "$(lrsched completion bash)", or zsh
--cfg job shows the config without running it; --hydra-help is Hydra's own help.
"""


def show_help(main: Callable[[], Any], arguments: Sequence[str]) -> None:
    """Print one screen; or all choices, and the config that the rest of the command line would run."""
    if WHOLE not in arguments:
        ours = choices((), plugins=())
        print(screen(ours, choices(arguments, plugins=()), command()))
        return
    print(HEADER)
    for group, names in choices(arguments).items():
        print(textwrap.fill(f"{group}: {', '.join(names)}", width=100, subsequent_indent="    "))
    print("\n== The config as it would run (key=value changes it) ==\n", flush=True)
    call(main, [*(word for word in arguments if word != WHOLE), "--cfg", "job"])
    print(FOOTER, end="")


def screen(ours: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]], program: str) -> str:
    """The help in sections, what one needs first.

    Args:
        ours: the names in each group of ours.
        found: all names in each group.
        program: what one types to run it.
    """
    chosen, groups = _defaults(), dict[str, str]()
    for group, known in SHOWN.items():
        own = [name for name in found[group] if name not in ours[group]]
        groups[group] = _some([*chosen.get(group, []), *own, *known, *found[group]])
    sections = {
        "Run": {f"{program} {words}": what for words, what in RUN.items()},
        "Choose (group=NAME; the default stands first)": groups,
        "Set (key=value)": KEYS,
        "Flags": FLAGS,
        "More": MORE,
    }
    lines = ["Train a model from YAML, under any learning-rate schedule."]
    for title, entries in sections.items():
        width = max(map(len, entries))
        lines += [title, *(f"  {name:<{width}}  {what}" for name, what in entries.items())]
    return "\n".join(lines)


def _some(names: Sequence[str]) -> str:
    """As many names of a group as fit on a line, each once, and how many there are."""
    ordered = list(dict.fromkeys(names))
    if len(", ".join(ordered)) <= WIDTH - 14:
        return ", ".join(ordered)
    shown = [name for n, name in enumerate(ordered) if len(", ".join(ordered[: n + 1])) <= WIDTH - 22]
    return f"{', '.join(shown)}, … ({len(ordered)})"


def _defaults() -> dict[str, list[str]]:
    """The default of each group."""
    config: Any = yaml.safe_load((own_folders()[0] / "config.yaml").read_text("utf-8"))
    found: dict[str, list[str]] = {}
    for entry in config["defaults"]:
        if is_mapping(entry):
            found |= {group: list(name) if is_list(name) else [name] for group, name in entry.items() if name}
    return found


def choices(arguments: Sequence[str], plugins: Sequence[str] = GROUPS) -> dict[str, list[str]]:
    """List the names in each config group: ours, those of a ``--config-dir`` and those of plugins.

    Args:
        arguments: the command line.
        plugins: the groups in which plugins are looked for.
    """
    own = config_dir(arguments)
    found = {group: installed(group) for group in plugins}
    for folder in [*own_folders(), *([] if own is None else [Path(own)])]:
        for name in choices_in(folder):
            group = next((group for group in GROUPS if name.startswith(f"{group}/")), name.partition("/")[0])
            if group != name:
                found.setdefault(group, set()).add(name.removeprefix(f"{group}/"))
    return {group: sorted(names, key=lambda name: ("/" in name, name)) for group, names in sorted(found.items())}
