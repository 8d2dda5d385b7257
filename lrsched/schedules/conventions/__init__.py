"""Conventions: a schedule of ours in the numbers of another library, where that library has it.

The libraries agree on names and disagree on which steps they mean: whether step 0 of a warm-up trains
at 0, whether the decay runs on underneath it, whether its end is trained at. A convention is one
library's answers. One small file each, with a rule for every schedule of ours that the library has;
a rule says which of our parameters it takes, and lays the phases as the library lays them::

    >>> from lrsched.horizon import Horizon
    >>> from lrsched.schedules import Linear
    >>> for convention in (None, "hf"):
    ...     Linear(warmup="2st", convention=convention).plan(Horizon(steps=6)).table().tolist()
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]

A convention speaks of the run's own steps, 0 to T − 1. After them ours holds the last value or raises,
also where the library rises again, raises one step late, or starts another cycle.
"""
