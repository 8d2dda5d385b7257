"""A number that is not finite at each place: {input, loss, gradient, metric} × {first, middle, last step}."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrsched.data.batch import column
from lrsched.errors import NotFinite
from lrsched.train.recovery import MOST_ROLLBACKS
from lrsched.train.state import RunState
from lrsched.train.timetable import Timetable
from lrsched.train.update import MOST_PASSED
from lrsched.units import count
from tests.helpers.marked_data import ILLS
from tests.helpers.nan_run import EVERY, PER_EPOCH, PLACES, STEPS, Run, same


def inject(path: Path, policy: str, ill: str, value: str, step: int) -> Run:
    """A run whose update ``step`` is bad, or whose metric is after it."""
    if ill == "metric":
        return Run(path, policy, ill=ill, value=value, metric_at=step + 1)
    return Run(path, policy, ill=ill, value=value, bad=(step,))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("ill", ILLS)
def test_stop(tmp_path: Path, ill: str, value: str, place: str) -> None:
    step = PLACES[place]
    run = inject(tmp_path / "run", "stop", ill, value, step)
    with pytest.raises(NotFinite) as found:
        run()
    at_rest = ill == "metric"
    at = step + at_rest
    last = max(0, (at - at_rest) // EVERY * EVERY)
    assert run.state.step == at
    assert found.value.report() == {
        "step": at,
        "what": found.value.what,
        "samples": [] if at_rest else run.loader.sample_numbers(step),
        "checkpoint": last,
    }
    assert found.value.what.startswith(
        {"gradient": "the gradient of inner.", "metric": "val/loss is "}.get(ill, "the t")
    )
    assert f"step {at}: {found.value.what}; " in str(found.value)
    assert f"the last good checkpoint is step {last}, {tmp_path}/run/checkpoints/step-{last:010}" in str(found.value)
    # The weights are those of a run that was to end there; whoever looks at metrics has seen finite ones only.
    healthy = Run(tmp_path / "healthy", "stop", ill=ill, value=value, steps=max(1, at))
    before, after = healthy.sha256, healthy().sha256
    assert run.sha256 == (after if at else before)
    assert run.state.evaluated == (at - at_rest or -1)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("ill", ILLS)
def test_skip(tmp_path: Path, ill: str, value: str, place: str) -> None:
    """The run equals one whose loader leaves that batch out; a metric cannot be passed over."""
    step = PLACES[place]
    run = inject(tmp_path / "run", "skip", ill, value, step)
    if ill == "metric":
        with pytest.raises(NotFinite, match=f"step {step + 1}: val/loss is"):
            run()
        return
    run.state.model.inner.dropout.p = 0.0  # type: ignore[union-attr]  # whose masks follow the batch's number
    run()
    assert (run.state.step, run.state.passed, run.state.rollbacks) == (STEPS, 1, [])
    without = Run(tmp_path / "without", "stop", skip_in_loader=step, dropout=0.0)()
    assert run.sha256 == without.sha256
    rows = run.rows()
    assert [row.pop("passed") for row in rows if "passed" in row] == [1] * (STEPS - step)
    assert rows == without.rows()


@pytest.mark.parametrize("step", [*PLACES.values(), 2 * EVERY])
@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("ill", ["input", "loss", "gradient"])
def test_rollback(tmp_path: Path, ill: str, value: str, step: int) -> None:
    """The run equals one that was set by hand to its checkpoint with the batches in between passed over."""
    to = step // EVERY * EVERY
    run = inject(tmp_path / "run", "rollback", ill, value, step)()
    assert (run.state.step, run.state.passed, run.state.rollbacks) == (STEPS, step - to + 1, [to])
    assert f"step {step}: " in run.said[0]
    assert f"went back to the checkpoint of step {to}, passing over {count(step - to + 1, 'batch')}" in run.said[0]
    by_hand = Run(tmp_path / "hand", "stop")
    if to:
        by_hand.until(lambda state: state.step == to + 1)
        by_hand = Run(tmp_path / "hand", "stop")
    assert by_hand.state.step == to
    by_hand.state.passed = step - to + 1
    same(run, by_hand())


@pytest.mark.parametrize("place", ["middle", "last"])
def test_rollback_from_a_metric(tmp_path: Path, place: str) -> None:
    """The weights are the cause, not the batches since the checkpoint, so the run ends."""
    step = PLACES[place] + 1
    to = (step - 1) // EVERY * EVERY
    run = inject(tmp_path / "run", "rollback", "metric", "nan", step - 1)
    with pytest.raises(NotFinite, match=f"gone back to step {to} {MOST_ROLLBACKS} times: suspect the weights") as found:
        run()
    assert found.value.tried
    assert (run.state.step, run.state.rollbacks) == (step, [to] * MOST_ROLLBACKS)
    assert run.state.passed == MOST_ROLLBACKS * (step - to)
    assert run.state.best.step is not None
    assert run.state.best.step < step


@pytest.mark.parametrize("policy", ["skip", "rollback"])
@pytest.mark.parametrize("killed_after", range(1, STEPS))
def test_killed_and_resumed_it_is_the_same_run(tmp_path: Path, policy: str, killed_after: int) -> None:
    """Killed after any update: before, at and after the bad ones, and in the repeated stretch."""
    bad = (1, 4, 11, 13)
    whole = Run(tmp_path / "whole", policy, bad=bad)()
    assert whole.state.passed > 1
    seen: list[int] = []

    def after(state: RunState) -> bool:
        seen.append(state.step)
        return len(seen) == killed_after

    Run(tmp_path / "cut", policy, bad=bad).until(after)
    resumed = Run(tmp_path / "cut", policy, bad=bad)()
    same(whole, resumed)
    assert resumed.state.passed == whole.state.passed
    assert resumed.state.rollbacks == whole.state.rollbacks


def test_too_many_batches_in_a_row_are_no_matter_of_data(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", "skip", bad=tuple(range(PER_EPOCH)))  # every batch has a marked sample
    said = f"{MOST_PASSED + 1} consecutive batches were not finite: suspect the weights, not the data"
    with pytest.raises(NotFinite, match=said) as found:
        run()
    assert (run.state.step, run.state.passed) == (0, 0)
    assert found.value.tried


def test_a_good_batch_ends_a_row(tmp_path: Path) -> None:
    """Of 32 batches the first and the 18th are good: 16 bad ones in a row, then 14, and again."""
    run = Run(tmp_path / "run", "skip")
    healthy = {*run.loader.sample_numbers(0), *run.loader.sample_numbers(MOST_PASSED + 1)}
    column(run.loader._data, 0)[[i for i in range(128) if i not in healthy], 0, 0, 0] = 255
    run.loader._order = 0, run.loader._indices(0)
    run.loader._indices = lambda epoch: run.loader._order[1]  # type: ignore[method-assign,index]  # one order for all
    run()
    assert (run.state.step, run.state.passed) == (STEPS, 4 * (16 + 14))


def test_a_damaged_checkpoint_is_said_aloud_and_an_older_one_taken(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", "rollback", bad=(5,))
    run.trainer.timetable = Timetable(log=1, evaluate=1, save=EVERY, keep=9)
    original = run.trainer._log

    def log(s: int, norm: float | None) -> None:
        original(s, norm)
        if s == 4 and not run.said:
            state = run.folder.checkpoints / "step-0000000003" / "state.pt"
            state.write_bytes(state.read_bytes()[:-1])

    run.trainer._log = log
    run()
    assert "step-0000000003/state.pt" in run.said[0]
    assert "going back further, to step 0" in run.said[0]
    assert (run.state.rollbacks, run.state.passed) == ([0], 6)


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", "stop")
    run.trainer.timetable = Timetable(log=99, evaluate=99, save=EVERY)
    run.state.optimizer.register_step_post_hook(
        lambda optimizer, *_: run.state.step == 2 and run.state.model.inner.last.bias.data.fill_(float("inf"))  # type: ignore[union-attr]
    )
    with pytest.raises(NotFinite, match=r"step 3: the weights of inner.last.bias are not finite.*checkpoint is step 0"):
        run()
    assert [checkpoint.step for checkpoint in run.store.committed()] == [0]


@pytest.mark.parametrize("policy", ["stop", "rollback"])
def test_without_waiting_it_is_found_where_the_host_waits(tmp_path: Path, policy: str) -> None:
    """The error names the first bad update, however late; later ones are neither saved nor logged."""
    run = Run(tmp_path / "run", policy, bad=(4,), wait=False)
    run.trainer.timetable = Timetable(log=99, evaluate=99, save=EVERY, keep=1)
    if policy == "stop":
        with pytest.raises(NotFinite, match=r"step 4: the training loss is not finite \(found at step 6\)") as found:
            run()
        assert found.value.samples == tuple(run.loader.sample_numbers(4))
        assert found.value.checkpoint == 3
        assert [checkpoint.step for checkpoint in run.store.committed()] == [3]
        return
    run()
    waited = Run(tmp_path / "waited", policy, bad=(4,))
    waited.trainer.timetable = run.trainer.timetable
    same(waited(), run)
    assert run.state.rollbacks == [3]


def test_a_save_out_of_turn_neither_prunes_what_is_gone_back_to_nor_outlives_it(tmp_path: Path) -> None:
    """As a signal makes one: later than the multiple, with rows that are cut off when the run goes back."""
    run = Run(tmp_path / "run", "rollback", bad=(5,))
    original, there = run.trainer._log, []

    def log(s: int, norm: float | None) -> None:
        original(s, norm)
        if s == 3 and not there:
            run.trainer._save()
            there.append([checkpoint.step for checkpoint in run.store.committed()])

    run.trainer._log = log
    run.trainer.recovery._tell = lambda _: there.append([c.step for c in run.store.committed()])  # type: ignore[union-attr]
    run()
    assert run.state.rollbacks == [3]
    assert there == [[4, 3], [3]]
