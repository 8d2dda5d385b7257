"""Check ranges that PyTorch's own optimizers and schedulers leave unchecked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrsched.config.rules import Limits, holds
from lrsched.config.walk import is_list
from lrsched.errors import ConfigError

Range = tuple[Limits, str]
"""The limits of a number, and the rule in words."""

DECAY: Range = (
    {"minimum": 0, "exclusiveMaximum": 1},
    "must be at least 0 and below 1: it is the part of a running mean that stays",
)
SHARE: Range = ({"minimum": 0, "maximum": 1}, "must lie between 0 and 1")
NOT_NEGATIVE: Range = ({"minimum": 0}, "must be at least 0: a learning rate is never negative")
POSITIVE: Range = ({"exclusiveMinimum": 0}, "must be above 0: it divides")
COUNT: Range = ({"minimum": 0}, "must be at least 0")

RANGES: dict[str, Range] = {
    **dict.fromkeys(("momentum", "betas", "rho", "base_momentum", "max_momentum"), DECAY),
    "alpha": SHARE,
    **dict.fromkeys(("eta_min", "swa_lr", "base_lr", "max_lr", "min_lr"), NOT_NEGATIVE),
    **dict.fromkeys(("gamma", "factor", "start_factor", "end_factor"), NOT_NEGATIVE),
    **dict.fromkeys(("div_factor", "final_div_factor"), POSITIVE),
    **dict.fromkeys(("patience", "cooldown"), COUNT),
}


def check_ranges(cls: type, arguments: Mapping[str, Any], key: str) -> None:
    """Refuse arguments with which a class of PyTorch cannot work.

    Args:
        cls: the class. Classes of other homes check their own arguments.
        arguments: by name; each number of a list is checked.
        key: the group's key, for messages.

    Raises:
        ConfigError: a number out of its range, or a cycle whose lower bound is above the upper one.
    """
    if not cls.__module__.startswith("torch.optim."):
        return
    for name, value in arguments.items():
        if name in RANGES:
            limits, rule = RANGES[name]
            for number in value if is_list(value) else [value]:
                if isinstance(number, (int, float)) and not holds(number, limits):
                    raise ConfigError(f"{key}.{name}", value, rule)
    low, high = arguments.get("base_lr"), arguments.get("max_lr")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        raise ConfigError(f"{key}.base_lr", low, f"is above {key}.max_lr={high}", "exchange them")
