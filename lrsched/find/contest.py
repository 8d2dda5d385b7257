"""Short runs of several schedules, of the same lengths and with the same seeds, so that their losses can be paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lrsched.find.answer import Candidate
from lrsched.find.losses import by_horizon
from lrsched.find.plan import Ask, Plan


@dataclass(frozen=True)
class Contest:
    """A plan for each schedule, by name.

    The later horizons begin when every schedule has the rates of the first one, and are of the same lengths for all:
    those of the schedule that tried most.
    """

    plans: Mapping[str, Plan]

    def next(self, trials: Mapping[str, Sequence[Candidate]]) -> dict[str, list[Ask]]:
        """The runs of each schedule that are missing before the next decision; empty: all are made.

        Raises:
            UserError: a loss is not above 0.
        """
        known = {name: by_horizon(trials[name], plan.seeds).get(plan.first) for name, plan in self.plans.items()}
        first = {name: plan.climb(known[name]) for name, plan in self.plans.items()}
        if any(first.values()):
            return {name: asks for name, asks in first.items() if asks}
        most = max(len(of.x) for of in known.values() if of is not None)
        later = {name: replace(plan, tried=most).next(trials[name]) for name, plan in self.plans.items()}
        return {name: asks for name, asks in later.items() if asks}
