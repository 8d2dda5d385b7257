"""Forms that a curve of losses over rates may have: two arms, or two arms and a wall."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP = 0.02
"""Of the distances ln(rate / best rate) at which the forms are tabulated."""

FARTHEST = 9.0
LEFT = (0.1, 0.2, 0.35, 0.55, 0.8, 1.2, 2.0)
RIGHT = (0.3, 0.5, 0.7, 0.95, 1.3, 2.0)
TYPICAL = (0.6, 0.7), (0.8, 0.6)
"""The slope of either arm, and the standard deviation of its logarithm: what is believed before there are losses."""

OF_WALLS = ((0.25, 0.4, 0.6, 0.85), (0.0, 0.4, 0.9, 1.6), (8.0, 25.0))
"""The slope of the valley, how far beyond the wall its floor would lie, the steepness of the wall."""

SHARE_OF_WALLS = 0.25
HIGHEST = 8.0


@dataclass(frozen=True)
class Curves:
    """Forms of ln(loss / least loss) over d = ln(rate / best rate), tabulated. ::

        valley  ln(e^(−αd)/α + e^(γd)/γ) − ln(1/α + 1/γ)      falls with slope α, rises with γ, flat at d = 0
        wall    valley(d − δ), α = γ, + e^(Wd)/W               what a rate does beyond the stable ones

    A wall is moved so that its least place is d = 0 too.

    Args:
        rises: float64[forms, places], from −9 to 9.
        wall: whether a form has a wall.
        prior: the logarithm of a form's weight before any loss is known.
    """

    rises: Floats
    wall: NDArray[np.bool_]
    prior: Floats

    @property
    def excess(self) -> Floats:
        """loss / least loss − 1 at the same places."""
        return np.expm1(np.minimum(self.rises, 3.0))

    def places(self, distance: Floats) -> NDArray[np.intp]:
        """Where in the table a distance lies; beyond its ends: the end."""
        return np.clip(((distance + FARTHEST) / STEP + 0.5).astype(np.intp), 0, self.rises.shape[1] - 1)


@lru_cache(maxsize=1)
def curves() -> Curves:
    """All forms: 42 without a wall, 32 with one."""
    distance = np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP)
    rises, prior = [], []
    for left in LEFT:
        for right in RIGHT:
            rises.append(_valley(distance, left, right))
            known = zip((left, right), TYPICAL, strict=True)
            prior.append(-0.5 * sum((np.log(slope / middle) / sd) ** 2 for slope, (middle, sd) in known))
    valleys = len(rises)
    for slope in OF_WALLS[0]:
        for beyond in OF_WALLS[1]:
            for steep in OF_WALLS[2]:
                fine = np.linspace(-3.0, 2.0, 5001)
                least = fine[_walled(fine, slope, beyond, steep).argmin()]
                rise = _walled(distance + least, slope, beyond, steep)
                rises.append(rise - rise.min())
    wall = np.arange(len(rises)) >= valleys
    weights = np.exp(np.array([*prior, *[0.0] * int(wall.sum())]))
    weights[~wall] *= (1 - SHARE_OF_WALLS) / weights[~wall].sum()
    weights[wall] *= SHARE_OF_WALLS / weights[wall].sum()
    return Curves(np.minimum(np.array(rises), HIGHEST), wall, np.log(weights))


def _valley(distance: Floats, left: float, right: float) -> Floats:
    arms = np.logaddexp(-left * distance - np.log(left), right * distance - np.log(right))
    return arms - np.log(1 / left + 1 / right)


def _walled(distance: Floats, slope: float, beyond: float, steep: float) -> Floats:
    return _valley(distance - beyond, slope, slope) + np.exp(np.minimum(steep * distance, 6.0)) / steep
