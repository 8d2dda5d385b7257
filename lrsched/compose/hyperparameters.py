"""The keys of a config that shape a result, as tables of hyperparameters show them."""

from __future__ import annotations

from typing import Any

from lrsched.config.run_id import is_neutral
from lrsched.config.walk import Flat
from lrsched.shelf import target_name

_ROUNDING = ("dataset.eval_batch_size", "trainer.log_every")
"""Keys that change rounding, or what is written, at most."""

_NOTHING = ("[]", "{}")


def hyperparameters(config: Flat) -> dict[str, bool | int | float | str]:
    """What shapes the result of a run; keys that are null or empty have no say.

    A class has the name that chooses it, and its group the key.

    Args:
        config: of a run, by dotted keys.

    >>> hyperparameters({"name": "x", "seed": 0, "scheduler._target_": "lrsched.schedules.OneCycle"})
    {'seed': 0, 'scheduler': 'onecycle'}
    """
    found: dict[str, bool | int | float | str] = {}
    for key, value in config.items():
        name = key.removesuffix("._target_")
        if is_neutral(key) or key in _ROUNDING or value is None or value in _NOTHING or name.endswith("_partial_"):
            continue
        found[name] = target_name(str(value)) if name != key else _plain(value)
    return found


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
