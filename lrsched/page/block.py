"""The data of the page's script: JSON that cannot end its element, with curves in two bytes a point."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from lrsched.numbers import finite
from lrsched.page.curves import Band, Curve
from lrsched.page.rows import RunRow
from lrsched.report.report import Report
from lrsched.report.stats import Floats

VERSION = 1
ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}

LEVELS = 65535
"""A curve's values are whole numbers from 0 to this, between its lowest and its highest."""


def block(ident: str, content: Any) -> Markup:
    """A block of data: nothing in it can end the element or begin another one.

    >>> print(block("x", ["</script><b>"]))
    <script type="application/json" id="x">["\\u003c/script\\u003e\\u003cb\\u003e"]</script>
    """
    text = json.dumps(finite(content), allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(ESCAPED)
    return Markup(f'<script type="application/json" id="{ident}">{text}</script>')


class Axes:
    """The steps of curves, each list once."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self.content: list[list[float]] = []

    def __call__(self, steps: Floats) -> int:
        """The number of a list of steps."""
        number = self._known.setdefault(steps.tobytes(), len(self.content))
        if number == len(self.content):
            self.content.append([int(step) if step.is_integer() else step for step in steps.tolist()])
        return number


def packed(curve: Curve, axes: Axes) -> dict[str, Any]:
    """A curve: ``axis``, ``low``, ``high``, ``log``, and ``q``: little-endian unsigned 16-bit numbers in base64.

    A value is ``low + (high − low)·q/65535``; with ``log`` low and high are natural logarithms, and it is e to that.
    """
    values, log = curve.values, False
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 10 * low:
        values, low, high, log = np.log(values), math.log(low), math.log(high), True
    part = (values - low) / (high - low) if high > low else np.zeros(len(values))
    q = base64.b64encode(np.round(part * LEVELS).astype("<u2").tobytes()).decode()
    return {"axis": axes(curve.steps), "low": _short(low), "high": _short(high), "log": log, "q": q}


def band_of(band: Band, axes: Axes) -> dict[str, Any]:
    """A band: ``axis``, ``seeds``, and ``mean``, ``low`` and ``high`` to five digits; only the mean of one seed."""
    parts = ("mean", "low", "high") if band.runs > 1 else ("mean",)
    return {
        "axis": axes(band.steps),
        "seeds": band.runs,
        **{p: [_short(v) for v in getattr(band, p).tolist()] for p in parts},
    }


def workloads(
    report: Report, names: Sequence[Sequence[str]], bands: Sequence[Sequence[Mapping[str, Band]]], axes: Axes
) -> list[dict[str, Any]]:
    """The workloads and their candidates, with the bands of each at its best rate."""
    return [
        {
            "name": one.name,
            "metric": one.metric.name,
            "chosen_by": one.metric.chosen_by,
            "mode": one.metric.mode,
            "metrics": [{"name": name, "unit": one.unit(name)} for name in names[number]],
            "candidates": [
                {
                    "name": row.name,
                    "lr": row.best.lr if row.best else None,
                    "bands": {name: band_of(band, axes) for name, band in bands[number][place].items()},
                }
                for place, row in enumerate(one.candidates)
            ],
        }
        for number, one in enumerate(report.comparisons)
    ]


def run_of(row: RunRow, curves: Mapping[str, Curve], axes: Axes) -> dict[str, Any]:
    """A run and its curves."""
    where = [row.place.workload, row.place.candidate] if row.place else [None, None]
    return {
        "path": str(row.run.path),
        "label": row.label,
        "workload": where[0],
        "candidate": where[1],
        "lr": row.lr,
        "seed": row.seed,
        "end": row.run.end,
        "series": {name: packed(curve, axes) for name, curve in curves.items() if len(curve.steps)},
    }


def _short(number: float) -> float:
    return float(f"{number:.5g}")
