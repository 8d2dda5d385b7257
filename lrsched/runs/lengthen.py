"""Write another length into the config of a run that goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lrsched.assembly.kinds import live_class
from lrsched.compose.nodes import plain, put
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER
from lrsched.errors import ConfigError, nearest
from lrsched.horizon import POLICIES

if TYPE_CHECKING:
    from omegaconf import DictConfig

LENGTH = ("trainer.epochs", "trainer.steps")


def lengthen(
    stored: DictConfig, composed: DictConfig, asked: set[str], at: Callable[[], int]
) -> dict[str, list[int | None]]:
    """Give a run another length from its newest checkpoint on, if the command asks for one.

    Args:
        stored: config of the run, changed in place.
        composed: the same with what the command sets.
        asked: keys that the command sets.
        at: step of the newest checkpoint.

    Returns:
        The changes, as ``{key: [old, new]}``.

    Raises:
        ConfigError: another length without a policy, or with one that needs a schedule.
        CheckpointError: no valid checkpoint to go on from.
    """
    old = {"epochs": stored.trainer.epochs, "steps": stored.trainer.steps}
    new = {name: composed.trainer[name] if f"trainer.{name}" in asked else old[name] for name in old}
    if "trainer.epochs" in asked and "trainer.steps" not in asked:
        new["steps"] = None  # it would win over the epochs that the command asks for
    if new == old:
        return {}
    used = "trainer.on_extend" not in asked and stored.trainer.extensions  # every length has a policy of its own
    policy = None if used else composed.trainer.on_extend
    if policy is None:
        known = "; ".join(f"{name} ({meaning})" for name, meaning in POLICIES.items())
        rule = "the run is to have another length: how is its schedule to go on?"
        raise ConfigError("trainer.on_extend", None, rule, f"give one of {known}")
    _refuse_policy(policy, composed)
    for name, value in new.items():
        put(stored, f"trainer.{name}", value)
    stored.trainer.extensions = [*stored.trainer.extensions, {"at": at(), "policy": policy, **old}]
    return {f"trainer.{name}": [old[name], new[name]] for name in old if new[name] != old[name]}


def _refuse_policy(policy: str, composed: DictConfig) -> None:
    """Refuse a policy that makes another curve, under a scheduler that has none.

    A length that an earlier version wrote down stays: its run goes on as it did.
    """
    if policy not in POLICIES:
        raise ConfigError("trainer.on_extend", policy, "there is no such policy", nearest(str(policy), POLICIES))
    if policy in ("keep", "stretch"):
        return
    name = live_class(component(SCHEDULER, plain(composed)["scheduler"], "scheduler"))
    if name is None:
        return
    rule = f"{name} runs live, and has no schedule of which this could be made"
    remedy = "give keep; or stretch to run it on as it is, unless it has a length of auto; or take a schedule of ours"
    raise ConfigError("trainer.on_extend", policy, rule, remedy)
