"""Hugging Face's numbers: ``transformers.get_scheduler``, stepped once after each update.

The warm-up is t/W: the first update trains at 0. The schedule's clock starts after it.

https://huggingface.co/docs/transformers/main_classes/optimizer_schedules
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrsched.schedules import shapes
from lrsched.schedules.checks import require
from lrsched.schedules.constant import Constant
from lrsched.schedules.conventions._ramps import after_ramp, ramp
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.inverse_sqrt import InverseSqrt
from lrsched.schedules.linear import Linear
from lrsched.schedules.phases import Curve, Ints, Part, Phase
from lrsched.schedules.polynomial import Polynomial
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.sgdr import SGDR
from lrsched.schedules.shapes import Floats
from lrsched.schedules.wsd import WSD, stable_then_decay

CONVENTION = Convention("transformers")
SHAPES = ("linear", "cosine", "sqrt")

CONVENTION.has(Constant, "warmup")(after_ramp)  # constant_with_warmup
CONVENTION.has(Linear, "warmup")(after_ramp)  # linear
CONVENTION.has(Cosine, "warmup", "final")(after_ramp)  # cosine, cosine_with_min_lr(min_lr_rate=final)
CONVENTION.has(Polynomial, "warmup", "power", "final")(after_ramp)  # polynomial(lr_end=final·peak)
CONVENTION.has(InverseSqrt, "warmup", "timescale")(after_ramp)  # inverse_sqrt


@CONVENTION.has(SGDR, "warmup", "first")
def cosine_with_restarts(schedule: SGDR, span: Span) -> Sequence[Part]:
    """cosine_with_restarts(num_cycles=n): (1 + cos π((n·p) mod 1))/2, p = t/(T − W), n = (T − W)/first.

    The remainder is taken in floating point, as there: where n·p falls an ulp short of a whole number,
    the restart is one step late, and the step trains at 0.
    """
    first = span.horizon.resolve(schedule.first, "first", least=1)
    require(
        span.rest % first == 0,
        "first",
        schedule.first,
        f"is {first} steps, but transformers has a whole number of cycles in the {span.rest} steps after the warm-up",
        "give a length that divides them, or convention=null",
    )
    cycles = span.rest // first

    def wave(t: Ints) -> Floats:
        return shapes.cosine(1.0, 0.0, np.mod(cycles * (t / span.rest), 1.0))

    return [ramp(schedule, span), Curve(span.rest, wave, "cycles")]


@CONVENTION.has(WSD, "warmup", "warmup_shape", "decay", "shape", "final")
def warmup_stable_decay(schedule: WSD, span: Span) -> Sequence[Part]:
    """warmup_stable_decay(min_lr_ratio=final): a warm-up from ``final`` too; linear, cosine or 1 − √x down."""
    up = shapes.named(schedule.warmup_shape, SHAPES[:2], key="warmup_shape")
    down = shapes.named(schedule.shape, SHAPES)
    warm = Phase(span.warm, span.final, 1.0, up, "[)", "warmup")
    return [warm, *stable_then_decay(schedule.decay, down, span.rest, span.horizon, span.final)]
