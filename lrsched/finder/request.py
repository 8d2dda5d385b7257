"""What was asked of a finder: its own keys, and the config of each seed's run."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import foretold, length_of
from lrsched.compose.errors import RAISED, as_user_error
from lrsched.compose.nodes import place, plain
from lrsched.compose.outside import composed, hydra_of_ours
from lrsched.compose.overrides import parse, standing
from lrsched.config.given import NOTHING, Given
from lrsched.config.run_id import key_of
from lrsched.config.settings import Settings, settings
from lrsched.errors import UNSET, ConfigError
from lrsched.finder.options import FindConfig, options_in
from lrsched.horizon import Horizon
from lrsched.python.words import as_open, refuse_doubled
from lrsched.records import check_name
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
        objects: given in Python, by the key of the node that each stands in for.
        in_python: it was asked there.
    """

    find: FindConfig
    words: list[str]
    runs: list[Settings]
    folder: Path
    scheduler: str = ""
    own: Sequence[str] = ()
    rivals: int = 1
    config_dir: str | None = None
    objects: Mapping[str, Given] = field(default_factory=dict[str, Given])
    in_python: bool = False

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


def requests_of(
    words: Sequence[str], config_dir: str | None, objects: Mapping[str, Given] = NOTHING
) -> list[FindRequest]:
    """Read a command line, and compose and check the config of every run that it means.

    Args:
        words: of the command.
        config_dir: a folder with more configs.
        objects: given in Python, by the key of the node that each stands in for.

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
            refuse_doubled(key, objects)
        chosen = {override.get_key_element() for override in left if override.is_sweep_override()}
        jobs = list(dict.fromkeys(product(*map(words_of, left))))
        found: list[FindRequest] = []
        for job in jobs:
            own = [word for word in job if word.partition("=")[0] in chosen]
            name = [f"name={found[0].folder.name}"] if found else []  # now() moves
            with as_one_of(own):
                found.append(_request(find, [*(job if chosen else rest), *name], own, config_dir, len(jobs), objects))
    return found


def _request(
    find: FindConfig,
    words: list[str],
    own: list[str],
    config_dir: str | None,
    rivals: int,
    objects: Mapping[str, Given],
) -> FindRequest:
    config = composed(words, config_dir, key="--config-dir")
    others = [word for word in own if key_of(word) != "scheduler"]
    scheduler = " ".join([str(config.hydra.runtime.choices.scheduler), *others])
    config = bare(config, objects)
    runs, name = [settings(plain(config), objects)], check_name("name", str(config.name))
    if runs[0].resume is not None:
        raise ConfigError("resume", runs[0].resume, "a finder looks before a run begins", "leave it out")
    others = range(runs[0].seed + 1, runs[0].seed + find.seeds) if find.method == "range" else ()
    for seed in others:
        again = composed([*words, f"seed={seed}"], config_dir, key="--config-dir")
        runs.append(settings(plain(bare(again, objects)), objects))
    return FindRequest(find, words, runs, Path("outputs") / name, scheduler, own, rivals, config_dir, objects)


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


def bare(config: DictConfig, objects: Mapping[str, Given]) -> DictConfig:
    """The config of a run, without Hydra's part, with a node for each object that was given."""
    config = as_open(config)
    del config["hydra"]
    place(config, objects)
    return config
