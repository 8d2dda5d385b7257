"""One fit of all horizons at once: where the best rate lies at any horizon, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lrsched.find.curves import STEP, Curves, Floats, curves
from lrsched.find.losses import BAND, Losses, Noise


class Exponent(NamedTuple):
    """What is believed of q in best rate ∝ horizon^q before any loss is known: mean and standard deviation."""

    mean: float
    sd: float


OF_VALLEYS = Exponent(-0.33, 0.15)
"""−.32 measured, −.5 in the convex worst case, −.33 and −.40 for regressions: https://arxiv.org/abs/2409.19913,
https://arxiv.org/abs/2501.18965, https://arxiv.org/abs/2602.04774."""

OF_WALLS = Exponent(-0.06, 0.12)
"""What is stable hardly moves: it is a matter of the curvature, not of the time."""

NUGGET = 0.03
"""The error of the forms: no curve is one of ours."""

SOFT = 1.2
"""On the far side of the best rate a wall may be softer than ours: its rise is off by so many times itself."""

SHORT = 0.15
"""How far a bad rate may fall short of the band, in ln loss."""

MARGIN = 1.2
PLACES, EXPONENTS = 91, 23
LEAST_WEIGHT = 1e-6


@dataclass(frozen=True)
class Fit:
    """Weighted explanations of all losses. ::

        ln loss(rate, h) = m_h + unit·f(ln rate − c − q·ln(h/h₀)) + noise

    f is one of :func:`lrsched.find.curves.curves`, the same for all horizons, c a place, q an exponent; m_h is free.
    The grid of (f, c, q) is weighed by the likelihood: normal noise that correlates over the rates of a seed, of a
    variance that is estimated (Student's t), m_h integrated out. A rate whose loss lies beyond the band, or diverged,
    says only that f is at least so high there.

    Args:
        form, place, exponent, weight: of the explanations; weights sum to 1.
        least: m_h for each, by horizon.
        middle: ln h₀.
        noise: that of the losses.
    """

    form: np.ndarray
    place: Floats
    exponent: Floats
    weight: Floats
    least: Mapping[int, Floats]
    middle: float
    noise: Noise

    @classmethod
    def of(cls, losses: Mapping[int, Losses]) -> Fit:
        """Weigh all explanations of some losses, of which at least one is finite."""
        noise, forms = Noise.of(losses), curves()
        losses = {horizon: of for horizon, of in losses.items() if of.near().any()}
        near = {horizon: of.near(BAND * noise.unit) for horizon, of in losses.items()}
        seen = np.concatenate([of.x[near[horizon]] for horizon, of in losses.items()])
        middle = float(sum(near[h].sum() * np.log(h) for h in losses) / len(seen))
        place = np.linspace(seen.min() - MARGIN, seen.max() + MARGIN, PLACES)
        exponent = OF_VALLEYS.mean + OF_VALLEYS.sd * np.linspace(-2.6, 3.4, EXPONENTS)
        c, q = (each.ravel() for each in np.meshgrid(place, exponent, indexing="ij"))
        belief = np.where(forms.wall[:, None], _normal(q, OF_WALLS), _normal(q, OF_VALLEYS)) + forms.prior[:, None]
        misfit, least, count = np.zeros(belief.shape), {}, 0
        for horizon, of in losses.items():
            centre = c + q * (np.log(horizon) - middle)
            part, determinant, short, least[horizon] = _explain(of, near[horizon], centre, noise, forms)
            misfit += part
            belief -= determinant[:, None] + short
            count += int(near[horizon].sum()) - 1
        belief -= 0.5 * (noise.freedom + count) * np.log1p(misfit / noise.freedom)
        weight = np.exp(belief - belief.max())
        form, which = np.nonzero(weight > LEAST_WEIGHT)
        kept = weight[form, which] / weight[form, which].sum()
        at = {horizon: values[form, which] for horizon, values in least.items()}
        return cls(form, c[which], q[which], kept, at, middle, noise)

    def centre(self, horizon: int) -> Floats:
        """ln of the best rate at a horizon, for each explanation."""
        return self.place + self.exponent * (np.log(horizon) - self.middle)

    @property
    def wall(self) -> float:
        """How likely it is that the best rate is the largest stable one."""
        return float(self.weight[curves().wall[self.form]].sum())

    def quantiles(self, horizon: int, shares: Sequence[float]) -> Floats:
        """Of ln best rate at a horizon."""
        centre = self.centre(horizon)
        order = np.argsort(centre)
        below = np.cumsum(self.weight[order]) - 0.5 * self.weight[order]
        return np.asarray(np.interp(shares, below, centre[order]), dtype=np.float64)

    def rises(self, horizon: int, x: Floats) -> Floats:
        """ln(loss / least loss) at rates e^x, for each explanation: float64[explanations, rates]."""
        forms = curves()
        return self.noise.unit * forms.rises[self.form[:, None], forms.places(x - self.centre(horizon)[:, None])]

    def regret(self, horizon: int, x: Floats, most: float = 1.0) -> Floats:
        """The loss at rates e^x over the least, minus 1, on the average; more than ``most`` counts as that."""
        forms = curves()
        place = np.round(self.centre(horizon) / STEP).astype(np.intp)
        first, width = place.min(), int(np.ptp(place)) + 1
        sums = np.bincount(self.form * width + place - first, self.weight, len(forms.prior) * width)
        form, column = np.nonzero(sums.reshape(-1, width))
        distance = np.asarray(x)[:, None] - (column + first) * STEP
        excess: Floats = np.minimum(forms.excess[form, forms.places(distance)], most)
        return excess @ sums.reshape(-1, width)[form, column]

    def best(self, horizon: int, cap: float = np.inf, most: float = 1.0) -> float:
        """ln of the rate with the least expected regret, at most ``cap``."""
        low, high = self.quantiles(horizon, (0.005, 0.995))
        x = np.linspace(low - 0.3, high + 0.1, 101)
        allowed = x[x <= cap + 1e-9]
        return float(allowed[self.regret(horizon, allowed, most).argmin()]) if len(allowed) else cap


def _normal(value: Floats, belief: Exponent) -> Floats:
    return -0.5 * ((value - belief.mean) / belief.sd) ** 2 - np.log(belief.sd)


def _explain(
    of: Losses, near: np.ndarray, centre: Floats, noise: Noise, forms: Curves
) -> tuple[Floats, Floats, Floats, Floats]:
    """How well each form at each centre explains one horizon.

    Returns:
        The squared distance [forms, centres], ½ ln of the determinants [forms], the penalty for bad rates
        [forms, centres], and m_h / unit [forms, centres].
    """
    rises = forms.rises[:, forms.places(of.x - centre[:, None])]
    y = of.mean / noise.unit
    rest = y[near] - rises[:, :, near]
    after = np.arange(int(near.sum())) > y[near].argmin()
    rise = np.where(after, y[near] - y[near].min(), 0.0)
    plain = noise.covariance(of, near, NUGGET)
    misfit, least, determinant = np.empty(rest.shape[:2]), np.empty(rest.shape[:2]), np.empty(len(rest))
    for which, covariance in ((~forms.wall, plain), (forms.wall, plain + np.diag((SOFT * rise) ** 2))):
        inverse = np.linalg.inv(covariance)
        sums = inverse.sum(1)
        free = inverse - np.outer(sums, sums) / sums.sum()
        misfit[which] = ((rest[which] @ free) * rest[which]).sum(-1)
        least[which] = rest[which] @ sums / sums.sum()
        determinant[which] = 0.5 * (np.linalg.slogdet(covariance)[1] + np.log(sums.sum()))
    threshold = y[near].min() + BAND
    lacking = np.maximum(threshold - least[:, :, None] - rises[:, :, ~near], 0.0)
    width = SHORT + float(np.sqrt(noise.variance / of.each.shape[1]))
    return misfit, determinant, 0.5 * ((lacking / width) ** 2).sum(-1), least
