"""Keras's numbers: ``keras.optimizers.schedules``, which count steps from 0, in float64.

Only ``CosineDecay`` has a warm-up, s + (1 − s)·t/W; its ``decay_steps`` count from the end of it, so
that the whole is W + ``decay_steps`` long: here T, the run.

https://keras.io/api/optimizers/learning_rate_schedules/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lrsched.schedules import shapes
from lrsched.schedules.checks import require
from lrsched.schedules.conventions._ramps import after_ramp
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.exponential import Exponential
from lrsched.schedules.inverse_time import InverseTime
from lrsched.schedules.phases import Curve, Ints, Part, Plan
from lrsched.schedules.piecewise import Piecewise
from lrsched.schedules.polynomial import Polynomial
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.sgdr import SGDR
from lrsched.schedules.shapes import Floats

CONVENTION = Convention("Keras")

CONVENTION.has(Cosine, "final", "warmup", "warmup_start")(after_ramp)  # CosineDecay(alpha=final)
CONVENTION.has(Exponential, "gamma", "every", "staircase")(after_ramp)  # ExponentialDecay
CONVENTION.has(InverseTime, "decay", "every", "staircase")(after_ramp)  # InverseTimeDecay
CONVENTION.has(Polynomial, "power", "final")(after_ramp)  # PolynomialDecay


@CONVENTION.has(SGDR, "first", "mult", "peak_decay", "final")
def cosine_decay_restarts(schedule: SGDR, span: Span) -> Sequence[Part]:
    """CosineDecayRestarts: f + (1 − f)·m^c·(1 + cos πx)/2 in cycle c; the floor is not part of what decays.

    Cycles are not rounded to whole steps: cycle c begins at first·(mult^c − 1)/(mult − 1). Keras finds c by
    a logarithm, which in float32 falls short at some restarts and misses them; ours are the formula's.
    """
    first = span.horizon.resolve(schedule.first, "first", least=1)
    starts, lengths = [Fraction(0)], [Fraction(first)]
    while (begin := starts[-1] + lengths[-1]) < span.steps:
        starts.append(begin)
        lengths.append(lengths[-1] * Fraction(str(schedule.mult)))
        rule = f"cycles that start at {first} steps shrink below one step before the end of the run"
        require(lengths[-1] >= 1, "mult", schedule.mult, rule, "raise mult or first")
    begins, spans = np.array(starts, dtype=np.float64), np.array(lengths, dtype=np.float64)
    firsts = np.array([math.ceil(begin) for begin in starts])  # the first step of each cycle

    def value(t: Ints) -> Floats:
        cycle = np.searchsorted(firsts, t, side="right") - 1
        wave = shapes.cosine(1.0, 0.0, (t - begins[cycle]) / spans[cycle])
        return span.final + (1 - span.final) * schedule.peak_decay**cycle * wave

    return [Curve(span.steps, value, "cycles")]


@CONVENTION.has(Piecewise, "points")
def piecewise_constant_decay(schedule: Piecewise, span: Span) -> Sequence[Part]:
    """PiecewiseConstantDecay: step t has the value of the last point *before* t, one step after everybody else's."""
    own = Plan(tuple(schedule.body(span.steps, span.horizon, span.final)))
    return [Curve(span.steps, lambda t: own.at(np.maximum(t - 1, 0)), "pieces")]
