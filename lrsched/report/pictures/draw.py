"""All pictures of a report, by the names of their files."""

from __future__ import annotations

import math
from contextlib import suppress

from lrsched.errors import ConfigError
from lrsched.report.compare import Comparison
from lrsched.report.pictures.courses import draw_courses
from lrsched.report.pictures.race import draw_race
from lrsched.report.pictures.rates import draw_rates
from lrsched.report.report import Report
from lrsched.report.time_to_target import races


def pictures(report: Report, folder: str) -> dict[str, bytes]:
    """PNG files by name, of each workload: ``curves.png``, ``rates.png``, ``target.png``; then ``curves-2.png``, ….

    Args:
        report: what to draw. Without a target of its own, one that every candidate reaches; there is no
            ``target.png`` of a metric that is measured once, at the end.
        folder: the value of ``--png``, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    drawn = {}
    for number, comparison in enumerate(report.comparisons):
        suffix = f"-{number + 1}" if number else ""
        drawn[f"curves{suffix}.png"] = draw_courses(comparison, folder)
        drawn[f"rates{suffix}.png"] = draw_rates(comparison, folder)
        target = report.races[number].target if report.races else _reachable(comparison)
        if math.isfinite(target):
            drawn[f"target{suffix}.png"] = draw_race(comparison, target, folder)
    return drawn


def _reachable(comparison: Comparison) -> float:
    """A target that every candidate reaches; nan where the metric is measured once."""
    with suppress(ConfigError):
        (race,) = races([comparison], None)
        return race.target
    return math.nan
