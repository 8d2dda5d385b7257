"""A curve through given points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from lrsched.horizon import Duration, Horizon, half_up
from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import is_pair, number, one_of, require, rise, unreached
from lrsched.schedules.phases import Part, Phase, clip, floored

PieceShape: TypeAlias = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True, kw_only=True)
class Piecewise(Schedule):
    """Through the points (time, multiple of the peak); the last value holds to the end of the run.

    From (t_j, v_j) to the next point, with x = (t − t_j)/(t_{j+1} − t_j),

    ::

        constant  v_j      linear  v_j + (v_{j+1} − v_j)·x      cosine  v_{j+1} + (v_j − v_{j+1})·(1 + cos πx)/2

    Args:
        points: pairs of a duration after the warm-up and a multiple of the peak; the first at 0, the
            others strictly later. Those after the run are never reached.
        shape: between two points: ``constant`` (the value of the first), ``linear`` or ``cosine``.

    Raises:
        ConfigError: the first point is not at 0, times that do not rise strictly, a value below 0.

    References:
        Page, How to Train Your ResNet, 2018, https://myrtle.ai/learn/how-to-train-your-resnet/

    >>> run = Horizon(steps=6)
    >>> Piecewise(points=[["0st", 1.0], ["4st", 0.5]]).plan(run).table().tolist()
    [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]
    >>> Piecewise(points=[["0st", 1.0], ["4st", 0.5]], shape="linear").plan(run).table().tolist()
    [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    """

    points: Sequence[tuple[Duration, float]] = (("0%", 1.0), ("50%", 0.1))
    shape: PieceShape = "constant"

    def check(self) -> None:
        one_of("shape", self.shape, get_args(PieceShape))
        pairs = isinstance(self.points, tuple) and all(is_pair(p) for p in self.points)
        good = pairs and len(self.points) > 0
        require(good, "points", self.points, "must be a list of pairs", "as in [[0%,1],[50%,0.1]]")
        for _, value in self.points:
            number("points", value, "[0, inf)")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        exact = [horizon.exact(time, "points") for time, _ in self.points]
        require(
            exact[0] == 0 and rise(exact),
            "points",
            self.points,
            f"must start at 0 and rise strictly, but lie at steps {', '.join(f'{float(time):g}' for time in exact)}",
            "write them in order, as in [[0%,1],[50%,0.1]]",
        )
        times = [half_up(time) for time in exact]
        values = [value for _, value in self.points]
        shape = shapes.named(self.shape, get_args(PieceShape))
        parts = [
            Phase(end - start, a, b, shape, name="piece")
            for (start, end), (a, b) in zip(pairwise(times), pairwise(values), strict=True)
        ]
        rest = Phase(steps, values[-1], values[-1], shapes.constant, name="stable")
        return [floored(part, final) for part in clip([*parts, rest], steps)]

    def cautions(self, steps: int, horizon: Horizon) -> list[str]:
        return unreached("point", {time: horizon.resolve(time, "points") for time, _ in self.points}, steps)
