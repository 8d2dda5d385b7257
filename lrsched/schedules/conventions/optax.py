"""Optax's numbers: ``optax.schedules``, which count steps from 0.

The warm-up is s + (1 − s)·t/W, joined to the schedule at W (``join_schedules``), whose clock starts
there; ``decay_steps`` of ``warmup_cosine_decay_schedule`` counts both.

https://optax.readthedocs.io/en/latest/api/optimizer_schedules.html
"""

from __future__ import annotations

from collections.abc import Sequence

from lrsched.schedules import shapes
from lrsched.schedules.checks import require
from lrsched.schedules.constant import Constant
from lrsched.schedules.conventions._ramps import after_ramp
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.exponential import Exponential
from lrsched.schedules.linear import Linear
from lrsched.schedules.multistep import MultiStep
from lrsched.schedules.onecycle import OneCycle
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.polynomial import Polynomial
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.sgdr import SGDR

CONVENTION = Convention("Optax")
WARMUP = ("warmup", "warmup_start")
FINAL = 0.85
"""``pct_final`` of ``linear_onecycle_schedule``: where the way down is over, as a share of the run."""

CONVENTION.has(Constant, *WARMUP)(after_ramp)  # warmup_constant_schedule
CONVENTION.has(Linear, "final", *WARMUP)(after_ramp)  # linear_schedule
CONVENTION.has(Polynomial, "power", "final", *WARMUP)(after_ramp)  # polynomial_schedule
CONVENTION.has(Cosine, "power", "final", *WARMUP)(after_ramp)  # warmup_cosine_decay_schedule(exponent=power)
CONVENTION.has(Exponential, "gamma", "every", "staircase", "final", *WARMUP)(after_ramp)  # (warmup_)exponential_decay
CONVENTION.has(MultiStep, "milestones", "gamma", *WARMUP)(after_ramp)  # piecewise_constant_schedule


@CONVENTION.has(SGDR, "first", "mult", "peak_decay", "cycle_warmup", "final")
def sgdr(schedule: SGDR, span: Span) -> Sequence[Part]:
    """sgdr_schedule: every cycle a warmup_cosine_decay_schedule that starts at ``final``, ``[)``."""
    return schedule.in_cycles(span.steps, span.horizon, span.final, "[)")


@CONVENTION.has(OneCycle, "rise", "start", "end", "anneal", "three_phase")
def one_cycle(schedule: OneCycle, span: Span) -> Sequence[Part]:
    """cosine_onecycle_schedule in two phases, linear_onecycle_schedule in three.

    The phases end at the whole steps ⌊p·T⌋, p = ``rise`` as a share of the run, and T, with ⌊0.85·T⌋
    between them in three; the floating-point product is cut off as there.
    """
    linear = schedule.anneal == "linear"
    require(
        schedule.three_phase == linear,
        "three_phase",
        schedule.three_phase,
        "Optax's one-cycle has three phases if it is linear, and two if it is a cosine",
        f"give three_phase={str(linear).lower()}, or convention=null",
    )
    share = span.share(schedule.rise, "rise")
    up, down = int(share * span.steps), int(FINAL * span.steps) if linear else span.steps
    rule = f"is {up} steps, and Optax's way down is over at step {down}"
    require(up < down, "rise", schedule.rise, rule, "shorten it, or give convention=null")
    end = schedule.foot
    if not linear:
        return [
            Phase(up, schedule.start, 1.0, shapes.cosine, name="rise"),
            Phase(span.steps - up, 1.0, end, shapes.cosine, name="fall"),
        ]
    return [
        Phase(up, schedule.start, 1.0, name="rise"),
        Phase(down - up, 1.0, schedule.start, name="fall"),
        Phase(span.steps - down, schedule.start, end, name="annihilation"),
    ]
