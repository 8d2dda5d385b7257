"""Read the space of a study from overrides in Hydra's grammar: intervals, ranges and choices."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override

from lrsched.compose.overrides import standing, values_of, written
from lrsched.config.run_id import key_of
from lrsched.errors import UNSET, ConfigError, nearest
from lrsched.horizon import RULE
from lrsched.sweep.sweepers.conditions import Branch, Condition, all_values
from lrsched.sweep.sweepers.distributions import SEED, distribution_of, ends, rounded_all, suggest, unit_of
from lrsched.sweep.sweepers.params import PARAMS

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


@dataclass(frozen=True)
class Space:
    """The searched keys, and the overrides common to all runs.

    Args:
        searched: the distribution of each key.
        given: the overrides of every other key: one each, and several of the seed.
        order: all keys as typed (``+model.width``), in the order of the command line, which run ids follow. A key that
            adds to an earlier one of its name has a number: ``+optimizer.groups#2``; one that several conditions
            search, its condition: ``scheduler.decay#scheduler=wsd``.
        conditions: of the keys in ``order`` that are there only where all of some conditions hold.
        units: of the durations that are searched as numbers.
        define: a function of the user's that suggests further values, or None.
    """

    searched: dict[str, BaseDistribution]
    given: dict[str, list[str]]
    order: list[str]
    conditions: dict[str, tuple[Condition, ...]] = field(default_factory=dict[str, "tuple[Condition, ...]"])
    units: dict[str, str] = field(default_factory=dict[str, str])
    define: Callable[[Trial], None] | None = None

    @property
    def repeats(self) -> int:
        """The runs of a trial: one for each seed."""
        return len(self.given.get(SEED, [""]))

    @property
    def varied(self) -> set[str]:
        """The keys in which runs differ."""
        return {*map(_key, self.searched), *([SEED] if self.repeats > 1 else [])}

    @property
    def always(self) -> dict[str, BaseDistribution]:
        """The keys that every trial searches."""
        return {name: found for name, found in self.searched.items() if not self._conditions(name)}

    def holds(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a key is there where others have these values."""
        return all(condition.holds(values) for condition in self._conditions(name))

    def jobs(self, values: Mapping[str, Any]) -> list[list[str]]:
        """The overrides of each run of a trial.

        Args:
            values: of the searched keys that are there; each float reads back exactly.
        """
        here = [key for key in self.order if self.holds(key.lstrip("+"), values)]
        columns = [self.given.get(key) or [self._word(key, values[key.lstrip("+")])] for key in here]
        further = sorted(values.keys() - self.searched.keys())
        columns += [[f"{key}={_text(values[key])}"] for key in further]
        return [list(row) for row in itertools.product(*columns)]

    def _word(self, key: str, value: Any) -> str:
        return f"{_key(key)}={value}{self.units.get(key.lstrip('+'), '')}"

    def suggest(self, trial: Trial) -> None:
        """Let a trial that has the values of ``always`` draw those that depend on them."""
        for name, distribution in self.searched.items():
            if self._conditions(name) and self.holds(name, trial.params):
                suggest(trial, name, distribution)
        if self.define is not None:
            self.define(trial)

    @contextmanager
    def explaining(self) -> Generator[None]:
        """Around a check of a point: durations that are searched without a unit are told how they get one."""
        try:
            yield
        except ConfigError as error:
            if error.rule == RULE and error.key in self.searched:
                remedy = f"as in {error.key}=tag(percent,interval(5,50)), for 5% to 50% of the run"
                raise ConfigError(error.key, error.value, error.rule, remedy) from error
            raise

    def expected(self, values: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        """The searched keys of a trial with these values, without those that ``define`` suggests."""
        return {name: found for name, found in self.searched.items() if self.holds(name, values)}

    def drawn(self, number: int) -> list[dict[str, Any]]:
        """Random points, as a study would propose them."""
        import optuna

        scratch = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        trials = [scratch.ask(self.always) for _ in range(number)]
        for trial in trials:
            self.suggest(trial)
        return [rounded_all(trial) for trial in trials]

    def corners(self) -> list[dict[str, Any]]:
        """Points at which every choice and both ends of every range occur at least once."""
        found = [self._point({})]
        for name, distribution in self.searched.items():
            for value in ends(distribution):
                point = self._point({**self._where(name), name: value})
                if point not in found:
                    found.append(point)
        return found

    def _point(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The values of all keys that are there where some have the values that are wanted, others their first."""
        values: dict[str, Any] = {}
        for name, distribution in self.searched.items():
            if self.holds(name, values):
                values[name] = wanted.get(name, ends(distribution)[0])
        return values

    def _where(self, name: str) -> dict[str, Any]:
        """Values of other keys at which a key is there."""
        wanted: dict[str, Any] = {}
        for condition in self._conditions(name):
            wanted |= {**self._where(condition.key), condition.key: condition.values[0]}
        return wanted

    def _conditions(self, name: str) -> tuple[Condition, ...]:
        return self.conditions.get(name, ())


def space(
    overrides: Sequence[Override],
    branches: Sequence[Branch] = (),
    typed: Collection[str] = (),
    define: Callable[[Trial], None] | None = None,
) -> Space:
    """Read the space from overrides; the last one that sets a key counts.

    Args:
        overrides: of every trial.
        branches: of those where conditions hold.
        typed: keys on the command line, whose values may leave a condition nowhere to hold.
        define: a function of the user's that suggests further values.

    Raises:
        ConfigError: no key is searched, or one cannot be searched.
    """
    found = Space({}, {}, [], define=define)
    names = Counter[str]()
    depended_on = {condition.key for branch in branches for condition in branch.conditions}
    single: dict[str, str] = {}
    for override in standing(overrides):
        key = override.get_key_element()
        names[key.lstrip("+")] += 1
        if names[key.lstrip("+")] > 1:
            key = f"{key}#{names[key.lstrip('+')]}"
        _add(found, key, override)
        if key.lstrip("+") in depended_on and not override.is_sweep_override():
            single[key.lstrip("+")] = all_values(override)[0]
    several = Counter(branch.override.get_key_element() for branch in branches)
    for branch in branches:
        left = _left(found, branch, single, {key_of(key) for key in typed})
        if left is not None:
            key = branch.override.get_key_element()
            if several[key] > 1:
                key = f"{key}#{' '.join(condition.text for condition in branch.conditions)}"
            _add(found, key, branch.override)
            found.conditions[key.lstrip("+")] = left
    if not found.searched and define is None:
        rule = "there is nothing to search: no key has several values"
        remedy = "give an interval or choices, as in optimizer.lr=tag(log,interval(0.001,0.5)) scheduler=cosine,wsd"
        raise ConfigError("hydra/sweeper", "optuna", rule, remedy)
    return found


def _add(space: Space, key: str, override: Override) -> None:
    """Add a key to a space, under this name."""
    space.order.append(key)
    if not override.is_sweep_override():
        space.given[key] = [str(override.input_line)]
    elif key == SEED and override.is_discrete_sweep():
        space.given[key] = [f"{key}={value}" for value in values_of(override)]
    else:
        name = key.lstrip("+")
        space.searched[name] = distribution_of(override)
        if unit := unit_of(override):
            space.units[name] = unit


def _left(
    space: Space, branch: Branch, single: Mapping[str, str], typed: Collection[str]
) -> tuple[Condition, ...] | None:
    """The conditions of a branch that depend on a trial; None if they hold in none, as what was typed wants it."""
    from optuna.distributions import CategoricalDistribution

    left: list[Condition] = []
    for condition in branch.conditions:
        place, key = f"{PARAMS}.{condition.text}", condition.key
        distribution = space.searched.get(key)
        if distribution is None and key not in single:
            rule = f"{key} is not searched, so it has no choice on which something could depend"
            raise ConfigError(place, UNSET, rule, f"give its choices too, as {key}: {','.join(condition.values)},…")
        if distribution is not None and not isinstance(distribution, CategoricalDistribution):
            raise ConfigError(
                place, UNSET, f"{key} is searched as numbers; a condition needs choices", f"list those of {key}"
            )
        choices = [single[key]] if distribution is None else list(map(str, distribution.choices))
        unknown = [value for value in condition.values if value not in choices]
        if unknown and key not in typed:
            rule = f"{unknown[0]} is no choice of {key}"
            raise ConfigError(place, UNSET, rule, nearest(unknown[0], choices))
        if len(unknown) == len(condition.values):
            return None
        if distribution is not None:
            left.append(replace(condition, values=tuple(value for value in condition.values if value in choices)))
    return tuple(left)


def _key(name: str) -> str:
    """The key of a name in ``Space.order``."""
    return name.partition("#")[0]


def _text(value: Any) -> str:
    """A value that the user's function chose, as it is typed; a text of theirs stays as it is."""
    return str(value) if isinstance(value, (str, float)) else written(value)
