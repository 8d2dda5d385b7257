"""What schedules that are made of other schedules ask of them."""

from __future__ import annotations

from typing import Any

from lrsched.errors import UNSET, ConfigError
from lrsched.schedules.base import Schedule


def require_schedule(key: str, value: Any) -> None:
    """Refuse what is not an open-loop schedule, and one with an ``also`` or ``groups`` that nobody would hear.

    The whole has its own: there, too, a sequence may stand.

    >>> require_schedule("of", 0.1)
    Traceback (most recent call last):
    lrsched.errors.ConfigError: of: must be an open-loop schedule, not float; as in {_target_: lrsched.schedules.Cosine}
    """
    if not isinstance(value, Schedule):
        rule = f"must be an open-loop schedule, not {type(value).__name__}"
        raise ConfigError(key, UNSET, rule, "as in {_target_: lrsched.schedules.Cosine}")
    for name in ("also", "groups"):
        if getattr(value, name):
            raise ConfigError(
                f"{key}.{name}",
                UNSET,
                "only the curve of a part counts",
                f"give {name} to the schedule that it is a part of; a sequence may stand in it too",
            )
