"""Print ``--help``: every choice and every key, in a third of the time of Hydra's own help."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lrsched.cli.flags import config_dir
from lrsched.compose.choices import choices_in, own_folders
from lrsched.compose.hydra_setup import call
from lrsched.compose.plugins import GROUPS, installed

HEADER = """\
lrsched trains a model from YAML.

  python train.py scheduler=cosine optimizer.lr=0.03     one run
  python train.py -m scheduler=cosine,step,onecycle      a sweep
  python train.py resume=outputs/NAME                    the rest of a run

== Choices (group=NAME; several loggers: logger=[tensorboard,csv]) ==
"""
FOOTER = """
TAB completes keys and choices after: eval "$(python train.py -sc install=bash)"
--cfg job shows the config without running it; --hydra-help is Hydra's own help.
"""
HELP = "--help"


def show_help(main: Callable[[], Any], arguments: Sequence[str]) -> None:
    """Print the choices, and the config that the rest of the command line would run."""
    print(HEADER)
    for group, names in choices(arguments).items():
        print(textwrap.fill(f"{group}: {', '.join(names)}", width=100, subsequent_indent="    "))
    print("\n== The config as it would run (key=value changes it) ==\n", flush=True)
    call(main, [*(word for word in arguments if word != HELP), "--cfg", "job"])
    print(FOOTER, end="")


def choices(arguments: Sequence[str]) -> dict[str, list[str]]:
    """List the names in each config group: ours, those of a ``--config-dir`` and those of plugins."""
    own = config_dir(arguments)
    found = {group: installed(group) for group in GROUPS}
    for folder in [*own_folders(), *([] if own is None else [Path(own)])]:
        for name in choices_in(folder):
            group = next((group for group in GROUPS if name.startswith(f"{group}/")), name.partition("/")[0])
            if group != name:
                found.setdefault(group, set()).add(name.removeprefix(f"{group}/"))
    return {group: sorted(names, key=lambda name: ("/" in name, name)) for group, names in sorted(found.items())}
