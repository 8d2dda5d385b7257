"""The loop of a run: rest, evaluate, save, stop; update; again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from lrsched.checkpoint.snapshots import Snapshots
from lrsched.checkpoint.store import Store
from lrsched.ended import Ended
from lrsched.errors import NotFinite, Stopped
from lrsched.horizon import Horizon
from lrsched.ranks.agreement import Agreement, require_same
from lrsched.ranks.world import ALONE, World
from lrsched.schedulers.base import Advice, group_names
from lrsched.schedulers.values import has_value, read_value
from lrsched.signals import StopFlag
from lrsched.train.forks import Forks
from lrsched.train.journal import Journal
from lrsched.train.recovery import Recovery, refuse_to_save
from lrsched.train.state import RunState, weights_sha256
from lrsched.train.timetable import Outcome, Timetable
from lrsched.train.update import Update
from lrsched.units import count

SHARE = 0.01
"""Share of a run's time spent on checkpoints where ``save`` is None, without the first and the last."""


@dataclass(kw_only=True)
class Trainer:
    """Takes a :class:`RunState` from step to step, in a fixed order.

    ::

        at rest at s  ->  evaluate? -> scheduler.observe(metric)? -> snapshot? -> save? -> stop? -> keep a fork point?
        update(s)     ->  see Update; its row has the values that update s used

    Args:
        state: the run, at rest.
        update: makes one step.
        evaluate: computes the metrics of the validation part.
        horizon: the plan's length; the clock of the state says how many updates make it.
        timetable: when to log, evaluate, save.
        store: where checkpoints go.
        journal: where rows go.
        about: what every manifest says about the run (config hash, fingerprint).
        stop: asked at rest whether to go on.
        recovery: decides how to go on after a number that is not finite; None: the run ends.
        forks: keeps the states that other runs start from, or None.
        show: makes pictures and texts of the model at a step, and changes nothing; or None.
        snapshots: keeps the weights at the minima of the schedule, or None.
        world: the processes of the run; all of them take the same steps.
    """

    state: RunState
    update: Update
    evaluate: Callable[[], dict[str, float]]
    horizon: Horizon
    timetable: Timetable
    store: Store
    journal: Journal
    about: Mapping[str, Any]
    stop: StopFlag
    recovery: Recovery | None = None
    forks: Forks | None = None
    show: Callable[[nn.Module, int], Mapping[str, bytes | str]] | None = None
    snapshots: Snapshots | None = None
    world: World = ALONE

    def __post_init__(self) -> None:
        self._agreement = Agreement(self.stop, self.world)
        self._to_save = False
        self._steps = self.state.clock.steps(self.horizon.steps)
        self._saved = self.state.step if self.state.step else -1  # a resumed run has its checkpoint already
        self._saved_at = time.perf_counter()

    def run(self) -> Outcome:
        """Train to the end of the horizon, or to a reason to stop before it.

        Raises:
            NotFinite: a loss, a gradient, a metric or a weight is not finite, and the run cannot recover.
        """
        while True:
            try:
                return self._course()
            except NotFinite as found:
                if self.recovery is None:
                    raise
                self.recovery(self.state, found)
                if self.snapshots is not None:
                    self.snapshots.forget(self.state.step)
                self._saved, self._saved_at = self.state.step, time.perf_counter()

    def _course(self) -> Outcome:
        state, table, last = self.state, self.timetable, self._steps - 1
        started = time.perf_counter() - state.seconds
        while True:
            s = state.step
            self._agree()
            if self._due(table.evaluate) and state.evaluated != s:
                self._evaluate_now()
            state.seconds = time.perf_counter() - started
            self._take_snapshot()
            ending = self._ending()
            if ending or s == 0 or self._due_to_save():
                self._save()
                ending = ending or self._ending()  # a signal may have come while saving
            if ending:
                return ending
            if self.forks is not None and s in self.forks.steps:
                self._check()
                self.forks.keep(state, self.journal, self.about)
            if s == 0 or s == self._saved:
                self.journal.timing("update", step=s, seconds=state.seconds)
            log = state.clock.place(s) % table.log == 0 or s == last
            norm = self.update(state, want_norm=log)
            if log:
                self.update.check(state)
                self._log(s, norm)

    def _due(self, every: int) -> bool:
        s = self.state.step
        return s > 0 and (self.state.clock.is_due(s, every) or s == self._steps)

    def _agree(self) -> None:
        """Hear whether a signal came to any process, and whether the first one has time to save."""
        if self.world.size > 1:
            self._to_save = self._agreement(self.timetable.save is None and self._has_time_to_save())

    def _due_to_save(self) -> bool:
        if self.timetable.save is not None:
            return self._due(self.timetable.save)
        return self._to_save if self.world.size > 1 else self._has_time_to_save()

    def _has_time_to_save(self) -> bool:
        return (time.perf_counter() - self._saved_at) * SHARE >= self.state.save_seconds

    def _evaluate_now(self) -> None:
        """Evaluate, let the scheduler observe it, write the row; if a signal cuts it short, resume does it."""
        state = self.state
        self.update.check(state)
        began = time.perf_counter()
        try:
            metrics = self.evaluate()
        except Stopped:
            self._agree()
            return
        took = time.perf_counter() - began
        self._saved = -1  # a signal may have saved this step without its evaluation
        place, before = state.clock.place(state.step), state.clock.place(max(state.evaluated, 0))
        if not state.scheduler.sees_metrics:  # it counts evaluations
            for missed in state.clock.missed(state.step, self.timetable.evaluate):
                state.scheduler.observe(missed, metrics)
        advice = state.scheduler.observe(place, metrics)
        state.record_metrics(metrics, early=place >= self.timetable.patient_from)
        if advice is Advice.KEEP:
            state.keep()
        elif advice is Advice.RETURN:
            state.go_back()
        self.journal.row({"step": state.step, "epoch": self._epoch(state.step), **metrics})
        self.journal.timing("evaluate", step=state.step, seconds=took)
        if self.show is not None and self._due_to_show(before, place):
            self.journal.show(state.step, self.show(state.model, state.step))

    def _due_to_show(self, before: int, now: int) -> bool:
        """Whether this is the first evaluation after a multiple of ``timetable.show``, or the run's last one."""
        every, patience = self.timetable.show, self.timetable.patience
        last = self.state.step == self._steps or (patience is not None and self.state.early.since >= patience)
        return every is not None and (last or now // every > before // every)

    def _take_snapshot(self) -> None:
        """Keep the weights if the schedule is at a minimum: the next update's rate rises, or there is none."""
        state, clock = self.state, self.state.clock
        if self.snapshots is None or not state.step:
            return
        if self.snapshots.due(clock.place_before(state.step - 1), clock.place(state.step)):
            self._check()
            self.snapshots.take(state.step, state.model.state_dict(), self.about)

    def _log(self, s: int, norm: float | None) -> None:
        """Write the row of update ``s`` with the values it used, still in force at rest at s + 1."""
        state = self.state
        row: dict[str, Any] = {"step": s, "epoch": self._epoch(s), "train/loss": state.window.mean()}
        groups = list(zip(group_names(state.optimizer), state.optimizer.param_groups, strict=True))
        for value in state.scheduler.moves:
            row |= {f"{value}/{name}": read_value(group, value) for name, group in groups if has_value(group, value)}
        if norm is not None:
            row["grad_norm"] = norm
        if state.scaler is not None:
            row |= {"loss_scale": state.scaler.get_scale(), "skipped": state.skipped}
        if state.passed:
            row["passed"] = state.passed
        self.journal.row(row)

    def _epoch(self, s: int) -> float:
        return self.state.clock.epoch_at(s)

    def _ending(self) -> Outcome | None:
        state, patience = self.state, self.timetable.patience
        signal = self._agreement.number
        if signal is not None:  # first: a signal may have cut the last evaluation short
            return Outcome(Ended.SIGNAL, f"stopped by {self._agreement.name}", signal)
        if state.step >= self._steps:
            done = f"all {self._steps} steps are done" if self._steps > 1 else "its one step is done"
            return Outcome(Ended.FINISHED, done)
        if patience is not None and state.early.since >= patience:
            return Outcome(
                Ended.EARLY, f"early stop: {state.early.monitor} has not improved for {count(patience, 'evaluation')}"
            )
        if self.timetable.pause is not None and state.step >= self.timetable.pause:
            return Outcome(Ended.PAUSED, f"paused at step {state.step} of {self._steps}")
        return None

    def _save(self) -> None:
        state = self.state
        if state.step == self._saved:
            return
        began = time.perf_counter()
        self._check()
        if self.world.size > 1:
            require_same(self.world, weights_sha256(state.model), f"the weights at step {state.step}")
        state.metrics_bytes = self.journal.flush()
        self.store.save(state.step, state.state_dict(), self.about)
        self.store.prune(
            self.timetable.keep, spare=self.recovery.needed(state.step, state.clock) if self.recovery else ()
        )
        self._saved, self._saved_at = state.step, time.perf_counter()
        state.save_seconds = self._saved_at - began
        self.journal.timing("save", step=state.step, seconds=state.save_seconds)
        self.journal.saved(state.step)

    def _check(self) -> None:
        """Refuse to save or hand on a state that is not finite."""
        self.update.check(self.state)
        refuse_to_save(self.state)
