"""torchtitan's numbers: its ``LRSchedulersContainer``, stepped once after each update.

They are ours: a warm-up of (t + 1)/W, and a decay of D steps whose floor lies one step after the run.
There it is said with one more stable step, a decay that counts from 1, and a virtual last step:
``stable = T + 1 − W − D``, then 1 − (i + 1)/D for i = 0 … D − 2. What differs is the rounding
of a decay given as a share of the run.

https://github.com/pytorch/torchtitan
"""

from __future__ import annotations

from collections.abc import Sequence

from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import require
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.linear import Linear
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.wsd import WSD

CONVENTION = Convention("torchtitan")
SHAPES = ("linear", "sqrt", "cosine")


@CONVENTION.has(Linear, "warmup", "final")
@CONVENTION.has(Cosine, "warmup", "final")
def decay_after_warmup(schedule: Schedule, span: Span) -> Sequence[Part]:
    """decay_ratio=None: all that the warm-up leaves is the decay."""
    kind = shapes.linear if isinstance(schedule, Linear) else shapes.cosine
    return virtual_last_step(span, span.rest, kind)


@CONVENTION.has(WSD, "warmup", "decay", "shape", "final")
def warmup_stable_decay(schedule: WSD, span: Span) -> Sequence[Part]:
    """decay_ratio = ``decay`` as a share of the run: D = round(T·decay_ratio), a half to the even number."""
    down = round(span.steps * span.share(schedule.decay, "decay"))
    require(
        down <= span.rest,
        "decay",
        schedule.decay,
        f"is {down} steps, but a warm-up of {span.warm} leaves {span.rest} of the run's {span.steps} steps",
        "shorten one of them or train longer: torchtitan shortens it with a warning",
    )
    return virtual_last_step(span, down, shapes.named(schedule.shape, SHAPES))


def virtual_last_step(span: Span, down: int, shape: shapes.Shape) -> list[Part]:
    """Warm-up, stable and a decay of ``down`` steps, the last of which lies after the run."""
    tail = max(0, down - 1)
    return [
        Phase(span.warm, 0.0, 1.0, shapes.linear, "(]", "warmup"),
        Phase(span.rest - tail, 1.0, 1.0, shapes.constant, name="stable"),
        Phase(tail, 1.0, span.final, shape, "()", "decay"),
    ]
