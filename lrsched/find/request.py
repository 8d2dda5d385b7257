"""What was asked of a finder: its own keys, and the config of each seed's run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import foreseen
from lrsched.compose.nodes import plain
from lrsched.compose.outside import composed, hydra_of_ours
from lrsched.compose.overrides import parse
from lrsched.config.settings import Settings, settings
from lrsched.errors import UNSET, ConfigError, UserError
from lrsched.find.answer import FILE
from lrsched.find.options import FindConfig, options_in
from lrsched.horizon import Horizon
from lrsched.python.words import as_open
from lrsched.records import RunFolder, check_name
from lrsched.units import count

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class FindRequest:
    """A question: which rate?

    Args:
        find: how to look.
        words: overrides of the run.
        runs: its settings; for a range test once for each seed.
        folder: where the answer goes.
    """

    find: FindConfig
    words: list[str]
    runs: list[Settings]
    folder: Path

    @cached_property
    def horizon(self) -> Horizon | None:
        """Of the run itself; None: the data will tell."""
        with suppress(UserError):
            return foreseen(self.runs[0], native=False)
        return None

    @property
    def full(self) -> int | None:
        """Updates of a full grid: each rate and seed trained to the end; None: not known yet."""
        return None if self.horizon is None else self.find.rates * self.find.seeds * self.horizon.steps

    def budget(self) -> int | None:
        """The most updates that it may cost; None: there is no limit."""
        asked, full = self.find.budget, self.full
        if asked is None:
            return None
        if full is None and asked.strip().endswith("%"):
            rule = "is a part of a full grid, and the config does not say how long a run is"
            raise ConfigError("find.budget", asked, rule, "give steps, as in find.budget=4000st")
        return Horizon(full or 1).resolve(asked, "find.budget", least=1)

    def told(self, cost: int) -> str:
        """A cost in words: steps, and the part of a full grid."""
        if not self.full:
            return count(cost, "step")
        what = f"{self.find.rates} rates × {count(self.find.seeds, 'seed')}"
        return f"{count(cost, 'step')}, {100 * cost / self.full:.3g} % of a full grid ({what}, {self.full} steps)"


def request_of(words: Sequence[str], config_dir: str | None) -> FindRequest:
    """Read a command line, and compose and check the config of every run that it means.

    Raises:
        ConfigError: a word cannot be used here.
        HydraException, OmegaConfBaseException: it cannot be composed.
    """
    find, rest = options_in(words)
    with hydra_of_ours() as loader:
        for override in parse(rest, loader):
            key = override.key_or_group.replace("/", ".")
            if override.is_sweep_override():
                rule = f"has several values, and find.method={find.method} answers for one run"
                raise ConfigError(key, UNSET, rule, "give one value, and the command once for each")
            if key == "resume" and override.value() is not None:
                raise ConfigError(key, override.value(), "a finder looks before a run begins", "leave it out")
        config = _composed(rest, config_dir)
        runs, name = [settings(plain(config))], check_name("name", str(config.name))
        others = range(runs[0].seed + 1, runs[0].seed + find.seeds) if find.method == "range" else ()
        for seed in others:
            runs.append(settings(plain(_composed([*rest, f"seed={seed}"], config_dir))))
    if runs[0].resume is not None:
        raise ConfigError("resume", runs[0].resume, "a finder looks before a run begins", "leave it out")
    return FindRequest(find, rest, runs, Path("outputs") / name)


def _composed(words: list[str], config_dir: str | None) -> DictConfig:
    config = as_open(composed(words, config_dir, key="--config-dir"))
    del config["hydra"]
    return config


def refuse_taken(folder: Path) -> None:
    """Refuse a folder that holds a run, a sweep or an answer.

    Raises:
        ConfigError: names it.
    """
    held = {"config.yaml": "a run", "sweep.json": "a sweep", FILE: "an answer"}
    for file, what in held.items():
        if (folder / file).exists():
            raise ConfigError("name", folder.name, f"{RunFolder(folder)} already holds {what}", "give another name")


def refuse_other_answer(folder: Path, method: str) -> None:
    """Refuse a folder that holds a run, or the answer of another method; one of this method goes on.

    Raises:
        ConfigError: names it.
    """
    try:
        held = json.loads((folder / FILE).read_text("utf-8"))["method"]
    except FileNotFoundError:
        held = method
    except (OSError, ValueError, TypeError, KeyError):
        held = "unknown"
    if held != method:
        rule = f"{folder} already holds an answer (find.method={held})"
        raise ConfigError("name", folder.name, rule, "give another name")
