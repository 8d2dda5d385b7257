"""Every schedule on the shelf, as something that can be called with the options that all of them take."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lrsched.schedules
from lrsched.schedules import Constant, Cosine, Cyclic, Linear, Schedule

VALUES = str(Path(__file__).resolve().parents[1] / "schedules" / "values.csv")
# What a schedule that is made of others cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "Cooldown": {"of": Constant(), "at": "40%"},
    "Noise": {"of": Linear(), "seed": 7},
    "Product": {"factors": [Linear(), Cyclic()]},
    "Sequence": {"parts": [{"length": "50%", "schedule": Constant()}, {"length": "rest", "schedule": Cosine()}]},
    "Table": {"path": VALUES},
}
SHELF: dict[str, Callable[..., Schedule]] = {
    name: partial(getattr(lrsched.schedules, name), **NEEDED.get(name, {})) for name in dir(lrsched.schedules)
}
