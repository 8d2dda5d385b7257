"""Megatron-LM's numbers: ``OptimizerParamScheduler``, with ``num_steps`` the steps done before the update.

The warm-up is s + (1 − s)·t/W, ``init_lr`` = s·peak; ``lr_decay_steps`` is T, the warm-up among them,
and ``min_lr`` = final·peak.

https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/core/optimizer_param_scheduler.py
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrsched.schedules import shapes
from lrsched.schedules.constant import Constant
from lrsched.schedules.conventions._ramps import after_ramp, ramp
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.inverse_sqrt import InverseSqrt
from lrsched.schedules.linear import Linear
from lrsched.schedules.phases import Curve, Part
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.shapes import Floats
from lrsched.schedules.wsd import WSD, stable_then_decay

CONVENTION = Convention("Megatron-LM")
WARMUP = ("warmup", "warmup_start")
TAILS = ("linear", "cosine", "exponential", "sqrt")

CONVENTION.has(Constant, *WARMUP)(after_ramp)  # lr_decay_style=constant
CONVENTION.has(Linear, "final", *WARMUP)(after_ramp)  # linear
CONVENTION.has(Cosine, "final", *WARMUP)(after_ramp)  # cosine


@CONVENTION.has(InverseSqrt, "final", *WARMUP)
def inverse_square_root(schedule: InverseSqrt, span: Span) -> Sequence[Part]:
    """inverse-square-root: √(W/t) from step W on, with at least 1 for W and for t; never below ``final``."""
    tau = max(span.warm, 1)
    decay = Curve(span.rest, lambda t: np.maximum(span.final, np.sqrt(tau / np.maximum(t + span.warm, 1))), "decay")
    return [ramp(schedule, span), decay]


@CONVENTION.has(WSD, "decay", "shape", "final", *WARMUP)
def warmup_stable_decay(schedule: WSD, span: Span) -> Sequence[Part]:
    """WSD with wsd_decay_steps = ``decay``: linear, cosine, exponential (its own form) or minus_sqrt."""
    tail = shapes.named(schedule.shape, TAILS)
    if schedule.shape == "exponential":
        tail = halving
    return [ramp(schedule, span), *stable_then_decay(schedule.decay, tail, span.rest, span.horizon, span.final)]


def halving(a: float, b: float, x: Floats) -> Floats:
    """b + (a − b)·(2·½^x − 1)."""
    return b + (a - b) * (2 * 0.5**x - 1)
