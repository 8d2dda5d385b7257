"""Schedules: open-loop curves. numpy only; one method, one small file, one reference.

A schedule is a frozen value. Given a :class:`~lrsched.horizon.Horizon` it yields the values of every
step, as multiples of each parameter group's base value::

    >>> from lrsched.horizon import Horizon
    >>> from lrsched.schedules import Linear
    >>> Linear(warmup="2st").plan(Horizon(steps=6)).table().tolist()
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
"""

from lrsched.schedules.base import Absolute, Schedule
from lrsched.schedules.phases import Curve, Phase, Plan
from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
__all__ = ["Absolute", "Curve", "Phase", "Plan", "Schedule"]  # and every class of the shelf, by name
