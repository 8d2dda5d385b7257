"""The content of ``result.json``; ``execute`` decides it, ``finish`` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lrsched.assembly.parts import Parts
from lrsched.data.batch import Batch
from lrsched.ended import Ended
from lrsched.errors import Stopped
from lrsched.ranks.agreement import together
from lrsched.records import AVERAGE, ENSEMBLE, RunFolder
from lrsched.runs.snapshots import tested
from lrsched.signals import StopFlag
from lrsched.train.averaging import evaluate_both, renew
from lrsched.train.evaluate import evaluate
from lrsched.train.nonfinite import Buffers
from lrsched.train.state import copied, weights_sha256
from lrsched.train.timetable import Outcome


def result_of(parts: Parts, outcome: Outcome, about: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run as it stands, whatever its end; evaluates nothing.

    Args:
        parts: of the run.
        outcome: how it ended.
        about: config hash and fingerprint.
    """
    state = parts.state
    epochs = state.clock.epoch_at(state.step)
    return {
        **_ending_fields(outcome),
        "step": state.step,
        "epoch": epochs,
        "metrics": dict(state.metrics),
        "better": dict(parts.better),
        "units": dict(parts.units),
        "best": {"step": state.best.step, **state.best.metrics},
        "weights_sha256": weights_sha256(state.model),
        **({} if state.average is None else {"average": type(state.average.average).__name__.lower()}),
        "train_seconds": state.seconds,
        "samples_per_second": parts.loader.samples * epochs / state.seconds if state.seconds else None,
        "skipped": state.skipped,
        "passed": state.passed,
        "rollbacks": len(state.rollbacks),
        **about,
    }


def with_test(
    result: dict[str, Any], parts: Parts, outcome: Outcome, stop: StopFlag, folder: RunFolder
) -> tuple[dict[str, Any], Outcome]:
    """The result of a finished run, with the test metrics of its final and of its best weights, and of its snapshots.

    The test part is looked at here and nowhere else: once, when nothing can be chosen by it any more.
    A signal meanwhile makes it a stopped run, with everything saved: resumed, it looks again.
    """
    try:
        final = evaluated(parts, parts.test, "test", stop)
        last = parts.state.best.step == parts.state.step and not parts.state.keeps_average
        best = {k: v for k, v in final.items() if AVERAGE not in k} if last else _test_best_weights(parts, stop)
        snapshots = tested(parts, folder, stop) if parts.minima and parts.world.writes else {}
    except Stopped as stopped:
        outcome = Outcome(Ended.SIGNAL, str(stopped), stopped.exit_code - 128)  # to any process
        return {**result, **_ending_fields(outcome)}, outcome
    for part, found in snapshots.items():
        final |= {f"{part}/{ENSEMBLE}{name}": found["last"][-1][name] for name in parts.task.better}
    tests = {"metrics": {**result["metrics"], **final}, "best": {**result["best"], **best}}
    return {**result, **tests, **({"snapshots": snapshots} if snapshots else {})}, outcome


def evaluated(parts: Parts, batches: Iterable[Batch], prefix: str, stop: StopFlag) -> dict[str, float]:
    """The metrics of a run as it stands, on a part of the data."""
    if parts.renewing is not None:
        renewing = parts.renewing
        together(parts.world, lambda: _renew(parts, renewing, stop))
    return evaluate_both(parts.state, parts.task, parts.precision, batches, prefix, stop, parts.named, parts.world)


def _renew(parts: Parts, batches: Iterable[Batch], stop: StopFlag) -> None:
    """Give batch norm the statistics of the weights at rest; if a signal cuts it short, those that it had."""
    model, buffers = parts.state.model, Buffers(parts.state.model)
    was_training, done = model.training, False
    buffers.take()
    model.eval()
    try:
        renew(model, stop.watch(batches), parts.task, parts.precision)
        done = True
    finally:
        model.train(was_training)
        if not done:
            buffers.put_back()


def _ending_fields(outcome: Outcome) -> dict[str, str]:
    return {"status": outcome.ended.status, "ended": outcome.ended.value, "reason": outcome.reason}


def _test_best_weights(parts: Parts, stop: StopFlag) -> dict[str, float]:
    """Test the best weights, and put the final ones back."""
    model, weights = parts.state.model, parts.state.best_weights
    if weights is None:  # no evaluation was finite
        return {}
    final = copied(model.state_dict())
    model.load_state_dict(weights)
    try:
        how: dict[str, Any] = {"stop": stop, "world": parts.world}
        return evaluate(model, parts.test, parts.task, parts.precision, "test", parts.named, **how)
    finally:
        model.load_state_dict(final)
