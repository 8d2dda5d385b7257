"""A run that is continued for another length than it was planned for: written into its config, then derived from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from lrsched.assembly.horizon import run_horizon
from lrsched.config import schema
from lrsched.data.counts import Pace
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import POLICIES, Horizon, Policy

LENGTH = ("trainer.epochs", "trainer.steps")

if TYPE_CHECKING:  # schedules import numpy, which --help can do without
    from lrsched.schedules import Schedule


@dataclass(frozen=True)
class Past:
    """A length that the run was planned for until step ``at``, and how its schedule went on from there."""

    planned: Horizon
    at: int
    policy: Policy


def lengthen(
    saved: DictConfig, composed: DictConfig, asked: set[str], at: Callable[[], int]
) -> dict[str, list[int | None]]:
    """Note in a stored config that the run has another length from its newest checkpoint on.

    Args:
        saved: the config of the run, changed in place.
        composed: the config of the command that continues it.
        asked: the keys that this command sets.
        at: the step of the newest checkpoint.

    Returns:
        What is another length, as ``{key: [old, new]}``.

    Raises:
        ConfigError: another length without a policy.
        CheckpointError: there is no valid checkpoint to go on from.
    """
    old = {"epochs": saved.trainer.epochs, "steps": saved.trainer.steps}
    new = {name: composed.trainer[name] if f"trainer.{name}" in asked else old[name] for name in old}
    if "trainer.epochs" in asked and "trainer.steps" not in asked:
        new["steps"] = None  # it would win over the epochs that are asked for
    if new == old:
        return {}
    chosen = "trainer.on_extend" in asked or saved.trainer.extensions  # each length is chosen for itself
    policy = composed.trainer.on_extend if chosen else saved.trainer.on_extend
    if policy is None:
        known = "; ".join(f"{name} ({meaning})" for name, meaning in POLICIES.items())
        rule = "the run is to have another length: how is its schedule to go on?"
        raise ConfigError("trainer.on_extend", None, rule, f"give one of {known}")
    OmegaConf.update(saved, "trainer", new, merge=True)
    saved.trainer.extensions = [*saved.trainer.extensions, {"at": at(), "policy": policy, **old}]
    return {f"trainer.{name}": [old[name], new[name]] for name in old if new[name] != old[name]}


def pasts(trainer: schema.TrainerConfig, pace: Pace | Horizon) -> list[Past]:
    """The lengths that a run was planned for before, oldest first; ``pace`` is that of its data."""
    return [
        Past(run_horizon(replace(trainer, epochs=e.epochs, steps=e.steps), pace), e.at, e.policy)
        for e in trainer.extensions
    ]


def continued_schedule(schedule: Schedule, past: Sequence[Past], horizon: Horizon) -> Schedule:
    """The schedule of a run whose length was changed ``len(past)`` times, to be planned over ``horizon``.

    Raises:
        ConfigError: the run is to be shorter than it is already.
    """
    from lrsched.schedules.extend import extended

    lengths = [*(before.planned for before in past), horizon]
    for before, now in zip(past, lengths[1:], strict=True):
        if before.at > now.steps:
            rule = f"{before.at} steps are already done, and the run is to have {now.steps}"
            raise ConfigError("scheduler", UNSET, rule, "give more trainer.epochs or trainer.steps")
        schedule = extended(schedule, before.planned, now, before.at, before.policy)
    return schedule
