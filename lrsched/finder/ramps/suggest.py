"""Suggestions from one curve of losses over rising rates: numpy alone.

They are fastai's definitions (``fastai.callback.schedule``), written from their description.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lrsched.schedules.shapes import Floats

FIRST, LAST = 10, 5
"""Of n updates the first n // FIRST are not looked at, and of those made the last LAST."""

FEWEST = 10
"""Losses that are left to look at; with fewer, no suggestion is made."""

APART, FLAT = 15, 0.005
"""Of ``slide``: the distance of the two places, and the difference of slopes that it takes for level."""


def smoothed(losses: Sequence[float], keep: float) -> Floats:
    """The exponential mean of the losses so far: m ← keep·m + (1 − keep)·loss, over 1 − keep^n.

    >>> smoothed([1.0, 3.0], 0.5).round(6).tolist()
    [1.0, 2.333333]
    """
    mean, found = 0.0, np.empty(len(losses))
    for n, loss in enumerate(losses):
        mean = keep * mean + (1 - keep) * loss
        found[n] = mean / (1 - keep ** (n + 1))
    return found


def valley(rates: Floats, losses: Floats) -> float:
    """Half the way through the longest valley: the longest strictly falling subsequence of the losses.

    With its end e and its length m: s = m/3, and the rate at e − m + ⌊s⌋ + ⌊s/2⌋, at least the first.
    """
    lengths = np.ones(len(losses), dtype=np.int64)
    for place in range(1, len(losses)):
        above = lengths[:place][losses[:place] > losses[place]]
        lengths[place] = 1 + (above.max() if len(above) else 0)
    end = int(lengths.argmax())  # the first of equals
    third = int(lengths[end]) / 3
    return float(rates[max(0, end - int(lengths[end]) + int(third) + int(third / 2))])


def slide(rates: Floats, losses: Floats) -> float | None:
    """The last rate before the loss falls: from the right, two slopes 15 apart are compared until they agree.

    r is the last place and l = r − 15; while l is inside and the slopes at the two differ by more than 0.005, keep the
    rate at l and move both one to the left; if they agree at once, it is the rate at l. None: there are too few places.
    """
    slope, right = np.gradient(losses), len(losses) - 1
    if right < APART:
        return None
    found = rates[right - APART]
    while right >= APART and abs(slope[right] - slope[right - APART]) > FLAT:
        found = rates[right - APART]
        right -= 1
    return float(found)


def minimum(rates: Floats, losses: Floats) -> float:
    """A tenth of the rate at the smallest loss."""
    return float(rates[losses.argmin()]) / 10


def steep(rates: Floats, losses: Floats) -> float:
    """The rate where the loss falls fastest over the logarithm of the rate."""
    return float(rates[(np.diff(losses) / np.diff(np.log(rates))).argmin()])


SUGGESTIONS: Mapping[str, Callable[[Floats, Floats], float | None]] = {
    "valley": valley,
    "slide": slide,
    "minimum": minimum,
    "steep": steep,
}
"""By name."""


def suggestions(rates: Floats, losses: Floats, steps: int) -> dict[str, float]:
    """All suggestions that a curve allows.

    Args:
        rates: of each update that was made, rising.
        losses: the smoothed loss before each of them.
        steps: updates of the whole ramp, of which fewer were made if it was stopped.

    >>> rates = np.geomspace(1e-4, 1e0, 60)
    >>> found = suggestions(rates, (np.log10(rates) + 1.5) ** 2, 60)
    >>> {name: round(rate, 4) for name, rate in found.items()}
    {'valley': 0.0023, 'slide': 0.0003, 'minimum': 0.0032, 'steep': 0.0003}
    """
    kept = slice(steps // FIRST, -LAST)
    rates, losses = rates[kept], losses[kept]
    wrong = np.flatnonzero(~np.isfinite(losses))
    end = int(wrong[0]) if len(wrong) else len(losses)
    rates, losses = rates[:end], losses[:end]
    if len(losses) < FEWEST:
        return {}
    found = {name: suggest(rates, losses) for name, suggest in SUGGESTIONS.items()}
    return {name: rate for name, rate in found.items() if rate is not None}


def centre(rates: Sequence[float]) -> float:
    """The median on the scale of factors.

    >>> round(centre([0.01, 0.1, 1000.0]), 6), round(centre([0.01, 1.0]), 6)
    (0.1, 0.1)
    """
    return math.exp(float(np.median(np.log(rates))))
