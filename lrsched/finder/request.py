"""What was asked of a finder: its own keys, and the config of each seed's run."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsched.assembly.horizon import foretold, length_of
from lrsched.compose.errors import RAISED, as_user_error
from lrsched.compose.nodes import plain
from lrsched.compose.outside import composed, hydra_of_ours
from lrsched.compose.overrides import parse, standing
from lrsched.config.digest import config_sha256
from lrsched.config.run_id import key_of
from lrsched.config.settings import Settings, settings
from lrsched.errors import UNSET, ConfigError
from lrsched.finder.answer import FILE
from lrsched.finder.options import FindConfig, options_in
from lrsched.horizon import Horizon
from lrsched.python.words import as_open
from lrsched.records import RunFolder, check_name
from lrsched.sweep.combinations import words_of
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
        scheduler: its name.
        own: the words that it differs by from the schedules that it is compared with.
        rivals: how many are compared, itself among them: they share the budget.
        config_dir: a folder with more configs, as it was given.
    """

    find: FindConfig
    words: list[str]
    runs: list[Settings]
    folder: Path
    scheduler: str = ""
    own: Sequence[str] = ()
    rivals: int = 1
    config_dir: str | None = None

    @cached_property
    def horizon(self) -> Horizon | None:
        """Of the run itself, by the data where a budget is counted by it; None: the runs will tell."""
        grid = self.find.method == "grid" and self.find.budget is not None
        return length_of(self.runs[0]) if grid or self.find.method == "horizon" else foretold(self.runs[0])

    @property
    def full(self) -> int | None:
        """Updates of a full grid: each rate and seed trained to the end; None: not known yet."""
        return None if self.horizon is None else self.find.rates * self.find.seeds * self.horizon.steps

    @property
    def seeds(self) -> list[int]:
        """Those of the runs."""
        first = self.runs[0].seed
        return list(range(first, first + self.find.seeds))

    @cached_property
    def horizons(self) -> tuple[int, ...]:
        """Updates of the short runs, where ``find.horizons`` says them.

        Raises:
            ConfigError: they do not rise, or are not shorter than the run, or nobody knows how long one is.
        """
        said, whole = list(self.find.horizons or ()), self.horizon
        if said and whole is None:
            rule = "are parts of the run, and the config does not say how long it is"
            raise ConfigError("find.horizons", said, rule, "give trainer.steps=NUMBER")
        steps = [(whole or Horizon(1)).resolve(each, "find.horizons", least=1) for each in said]
        told = f"{', '.join(map(str, steps))} steps"
        if any(later <= one for one, later in pairwise(steps)):
            raise ConfigError("find.horizons", said, f"must rise, and are {told}", "give the shortest first")
        if whole is not None and steps and steps[-1] >= whole.steps:
            rule = f"must be shorter than the run, of {count(whole.steps, 'step')}, and are {told}"
            raise ConfigError("find.horizons", said, rule, "give shorter ones, or find.method=grid for whole runs")
        return tuple(steps)

    def budget(self, usual: str | None = None, full: int | None = None) -> int | None:
        """The most updates that it may cost, its part of what all schedules may; None: there is no limit.

        Args:
            usual: the limit if nobody gives one.
            full: updates of a full grid, where its runs have told; else by the config.
        """
        asked, full = self.find.budget or usual, full or self.full
        if asked is None:
            return None
        unit = {"%": "a part of a full grid", "ep": "in epochs", "sp": "in samples"}
        counts = next((what for end, what in unit.items() if asked.strip().endswith(end)), None)
        if full is None and counts is not None:
            rule = f"is {counts}, and the config does not say how long a run is"
            raise ConfigError("find.budget", asked, rule, "give steps, as in find.budget=4000st")
        pace = self.horizon or Horizon(1)
        whole = Horizon((full or 1) * self.rivals, pace.steps_per_epoch, pace.samples_per_step)
        return whole.resolve(asked, "find.budget", least=1) // self.rivals

    def told(self, cost: int) -> str:
        """A cost of all schedules in words: steps, and the part of their full grids."""
        if not self.full:
            return count(cost, "step")
        many = f"{count(self.rivals, 'schedule')} × " if self.rivals > 1 else ""
        what = f"{many}{self.find.rates} rates × {count(self.find.seeds, 'seed')}"
        full = self.full * self.rivals
        return f"{count(cost, 'step')}, {100 * cost / full:.3g} % of a full grid ({what}, {full} steps)"


def request_of(words: Sequence[str], config_dir: str | None) -> FindRequest:
    """The question of a command line that names one schedule; see :func:`requests_of`."""
    (asked,) = requests_of(words, config_dir)
    return asked


def requests_of(words: Sequence[str], config_dir: str | None) -> list[FindRequest]:
    """Read a command line, and compose and check the config of every run that it means.

    Returns:
        A question for each schedule.

    Raises:
        ConfigError: a word cannot be used here.
        HydraException, OmegaConfBaseException: it cannot be composed.
    """
    find, rest = options_in(words)
    with hydra_of_ours() as loader:
        left = standing(parse(rest, loader))
        for override in left:
            key = override.key_or_group.replace("/", ".")
            if override.is_sweep_override() and key.partition(".")[0] != "scheduler":
                rule = "has several values, and only schedules are compared (scheduler=cosine,wsd)"
                raise ConfigError(key, UNSET, rule, "give one value, and the command once for each")
            if key == "resume" and override.value() is not None:
                raise ConfigError(key, override.value(), "a finder looks before a run begins", "leave it out")
        chosen = {override.get_key_element() for override in left if override.is_sweep_override()}
        jobs = list(dict.fromkeys(product(*map(words_of, left))))
        found: list[FindRequest] = []
        for job in jobs:
            own = [word for word in job if word.partition("=")[0] in chosen]
            name = [f"name={found[0].folder.name}"] if found else []  # now() moves
            with as_one_of(own):
                found.append(_request(find, [*(job if chosen else rest), *name], own, config_dir, len(jobs)))
    return found


def _request(find: FindConfig, words: list[str], own: list[str], config_dir: str | None, rivals: int) -> FindRequest:
    config = composed(words, config_dir, key="--config-dir")
    others = [word for word in own if key_of(word) != "scheduler"]
    scheduler = " ".join([str(config.hydra.runtime.choices.scheduler), *others])
    config = _bare(config)
    runs, name = [settings(plain(config))], check_name("name", str(config.name))
    if runs[0].resume is not None:
        raise ConfigError("resume", runs[0].resume, "a finder looks before a run begins", "leave it out")
    others = range(runs[0].seed + 1, runs[0].seed + find.seeds) if find.method == "range" else ()
    for seed in others:
        again = composed([*words, f"seed={seed}"], config_dir, key="--config-dir")
        runs.append(settings(plain(_bare(again))))
    return FindRequest(find, words, runs, Path("outputs") / name, scheduler, own, rivals, config_dir)


@contextmanager
def as_one_of(own: Sequence[str]) -> Generator[None]:
    """Say in a message which of several schedules cannot be used."""
    try:
        yield
    except RAISED as error:
        known = as_user_error(error, list(own))
        if not own or not isinstance(known, ConfigError):
            raise
        raise ConfigError(known.key, known.value, f"{known.rule} (with {' '.join(own)})", known.remedy) from error


def _bare(config: DictConfig) -> DictConfig:
    config = as_open(config)
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


QUESTION = ".find.json"
"""In the folder of runs that a finder makes: what was asked, before there is an answer."""


def refuse_other_answer(asked: Sequence[FindRequest]) -> None:
    """Refuse a folder that holds a run, a sweep, or the runs of another question; those of this one go on.

    Raises:
        ConfigError: names it.
    """
    folder, method = asked[0].folder, asked[0].find.method
    held, asks = _read(folder / FILE), _read(folder / QUESTION)
    if held is not None and held.get("method") != method:
        rule = f"{folder} already holds an answer (find.method={held.get('method', 'unknown')})"
        raise ConfigError("name", folder.name, rule, "give another name")
    if asks is None and (folder / "sweep.json").exists():
        raise ConfigError("name", folder.name, f"{folder} already holds a sweep", "give another name")
    wanted = question(asked)
    others = {"schedulers": "other schedules", "config": "another config", "horizons": "other lengths"}
    for key, what in others.items():
        if asks is not None and asks.get(key) != wanted.get(key):
            before = asks.get(key)
            known = f" ({', '.join(map(str, before))})" if isinstance(before, list) else ""
            rule = f"{folder} already holds the runs of {what}{known}"
            raise ConfigError("name", folder.name, rule, "give another name, or the words of that command")


def question(asked: Sequence[FindRequest]) -> dict[str, Any]:
    """What is asked: the same rates, seeds and budget or others, the same runs go on."""
    first = asked[0]
    config = plain(_bare(composed([*first.words, *_NO_QUESTION], first.config_dir, key="--config-dir")))
    asks = {
        "method": first.find.method,
        "schedulers": [each.scheduler for each in asked],
        "config": config_sha256(config),
    }
    return {**asks, "horizons": list(first.horizons)} if first.horizons else asks


_NO_QUESTION = ("optimizer.lr=0.1", "seed=0")
"""What two commands may differ in and still ask the same."""


def _read(file: Path) -> dict[str, Any] | None:
    try:
        held = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
