"""PyTorch's numbers: ``torch.optim.lr_scheduler``, stepped once after each update.

The warm-up is a ``LinearLR``, or with ``warmup_shape: constant`` a ``ConstantLR``, in front of the
schedule in a ``SequentialLR``: its first step trains at ``warmup_start``, which PyTorch wants above 0,
and the schedule's clock starts after it::

    >>> from lrsched.horizon import Horizon
    >>> Linear(warmup="2st", warmup_start=0.5, convention="torch").plan(Horizon(steps=6)).table().tolist()
    [0.5, 0.75, 1.0, 0.75, 0.5, 0.25]

https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number, require
from lrsched.schedules.constant import Constant
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.cyclic import Cyclic
from lrsched.schedules.exponential import GAMMA, Exponential
from lrsched.schedules.linear import Linear
from lrsched.schedules.multistep import MultiStep
from lrsched.schedules.onecycle import SHAPES, OneCycle
from lrsched.schedules.phases import Curve, Ints, Part, Phase
from lrsched.schedules.polynomial import Polynomial
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.sgdr import SGDR
from lrsched.schedules.shapes import Floats
from lrsched.schedules.step import Step

CONVENTION = Convention("PyTorch")
WARMUP = ("warmup", "warmup_start", "warmup_shape")


@CONVENTION.has(Constant, *WARMUP)
@CONVENTION.has(Linear, "final", *WARMUP)
@CONVENTION.has(Cosine, "final", *WARMUP)
@CONVENTION.has(Polynomial, "power", *WARMUP)
@CONVENTION.has(Step, "every", "gamma", *WARMUP)
@CONVENTION.has(MultiStep, "milestones", "gamma", *WARMUP)
def after_warmup(schedule: Schedule, span: Span) -> Sequence[Part]:
    """LinearLR(1, final), CosineAnnealingLR, PolynomialLR, StepLR, MultiStepLR: our own curves."""
    return [*warmup(schedule, span), *schedule.body(span.rest, span.horizon, span.final)]


@CONVENTION.has(Exponential, "gamma", "every", *WARMUP)
def exponential(schedule: Exponential, span: Span) -> Sequence[Part]:
    """ExponentialLR, stepped once in each ``every``: gamma^⌊t/every⌋."""
    every = span.horizon.resolve(schedule.every, "every", least=1)
    gamma = GAMMA if schedule.gamma is None else schedule.gamma
    return [*warmup(schedule, span), Curve(span.rest, lambda t: np.power(gamma, t // every), "decay")]


@CONVENTION.has(SGDR, "first", "mult", "final", *WARMUP)
def warm_restarts(schedule: SGDR, span: Span) -> Sequence[Part]:
    """CosineAnnealingWarmRestarts as ``step()`` counts; ``step(epoch)`` misses restarts by a logarithm."""
    whole = schedule.mult >= 1 and schedule.mult == int(schedule.mult)
    require(whole, "mult", schedule.mult, "PyTorch's T_mult is a whole number of at least 1", "give convention=null")
    return after_warmup(schedule, span)


@CONVENTION.has(
    Cyclic,
    *("low", "up", "down", "mode", "gamma", "momentum"),
    companions=lambda schedule, span: schedule.companions(span.steps, span.horizon),
)
def cyclic(schedule: Cyclic, span: Span) -> Sequence[Part]:
    """CyclicLR(low·peak, peak): our own triangles."""
    return schedule.body(span.steps, span.horizon, span.final)


def one_cycle_momentum(schedule: OneCycle, span: Span) -> Mapping[str, Sequence[Part]]:
    """The momentum against the rate; in a third phase it rests."""
    return {name: between(levels, schedule, span) for name, levels in schedule.companion_levels.items()}


@CONVENTION.has(
    OneCycle,
    *("rise", "start", "end", "anneal", "three_phase", "momentum"),
    companions=one_cycle_momentum,
)
def one_cycle(schedule: OneCycle, span: Span) -> Sequence[Part]:
    """OneCycleLR with max_lr the peak, div_factor 1/start, final_div_factor start/end: init → max → min.

    The phases end at the fractional steps p·T − 1 and T − 1, or p·T − 1, 2p·T − 2 and T − 1 for three,
    p = ``rise`` as a share of the run: the last update trains at ``end``, and hardly ever one at the peak.
    """
    return between(schedule.levels, schedule, span)


def between(levels: Sequence[float], schedule: OneCycle, span: Span) -> list[Part]:
    """OneCycleLR's phases between the levels, at its fractional ends."""
    up = span.share(schedule.rise, "rise") * span.steps
    rule = "is 1 step, and PyTorch's OneCycleLR divides by rise − 1"
    require(up != 1, "rise", schedule.rise, rule, "give a longer one, or convention=null")
    number("rise", up / span.steps, "[0, 1]")
    marks = [0.0, up - 1, 2 * up - 2, span.steps - 1] if schedule.three_phase else [0.0, up - 1, span.steps - 1]
    shape = shapes.named(schedule.anneal, SHAPES, key="anneal")
    parts: list[Part] = []
    begun = 0
    spans = zip(pairwise(marks), pairwise(levels), ("rise", "fall", "annihilation"), strict=False)
    for (start, end), (a, b), name in spans:
        after = min(span.steps, max(begun, math.floor(end) + 1))  # a phase has the steps up to its end, with it
        parts.append(Curve(after - begun, along(shape, a, b, begun - start, end - start), name))
        begun = after
    return parts


def along(shape: shapes.Shape, a: float, b: float, offset: float, length: float) -> Callable[[Ints], Floats]:
    """The values of a phase of fractional ``length`` from its first step on, ``offset`` after its start."""
    return lambda i: shape(a, b, np.divide(i + offset, length))


def warmup(schedule: Schedule, span: Span) -> list[Part]:
    """LinearLR: s + (1 − s)·t/W; or ConstantLR: s."""
    if not span.warm:
        return []
    start, shape = schedule.warmup_start, schedule.warmup_shape
    rule = "PyTorch's LinearLR wants a start_factor above 0"
    require(start > 0, "warmup_start", start, rule, "its own default is 0.3333333333333333")
    line = shapes.named(shape, ("linear", "constant"), key="warmup_shape")
    return [Phase(span.warm, start, 1.0, line, "[)", "warmup")]
