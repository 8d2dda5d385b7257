"""What a run meets after a change of its pace: bad batches, other data, kills, another change."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lrsched.data.loader import Loader, order
from lrsched.records import RunFolder
from tests.helpers.cli import TINY, Ended
from tests.helpers.compare_runs import differences
from tests.helpers.faults import kill_after_save, stop_at
from tests.helpers.runs import KILLED, resume, run

BASE = (
    *TINY,
    "trainer.epochs=4",
    "trainer.log_every=1st",
    "optimizer.lr=0.1",
    "optimizer.momentum=0.9",
    "checkpoint.every=5st",
    "name=run",
)
SLOW = pytest.mark.slow
AT = 9  # in the middle of the second epoch: 38 of its 86 samples are left
WIDER = ("dataset.batch_size=32", "checkpoint.allow_change=[dataset.batch_size]")
SCHEDULERS = {
    "ours": ("scheduler=cosine",),
    "native": ("scheduler=torch/OneCycleLR", "scheduler.interval=step", "scheduler.total_steps=auto"),
    "plateau": ("scheduler=torch/ReduceLROnPlateau", "scheduler.patience=0", "scheduler.threshold=0.5"),
    "sequence": (
        "scheduler=sequence",
        "scheduler.parts=[{schedule: {_target_: lrsched.schedules.Linear}, length: 25%}, "
        "{schedule: {_target_: lrsched.schedulers.Plateau, patience: 0, threshold: 0.5, factor: 0.5}, length: 50%}, "
        "{schedule: {_target_: lrsched.schedules.Constant}, length: rest}]",
    ),
}


def slow_but(quick: object, rows: Iterable[object]) -> list[Any]:
    """The rows of a table: one in every run of the tests, all with the slow ones."""
    return [row if row == quick else pytest.param(row, marks=pytest.mark.slow) for row in rows]


def go_on(run_cli, *overrides: str, name: str = "run") -> Ended:
    ended = run_cli(f"resume=outputs/{name}", "sweep.until=null", *overrides)
    assert ended.code == 0, ended.err
    return ended


def copied(name: str) -> None:
    shutil.copytree("outputs/run", f"outputs/{name}")


def same(one: str, other: str) -> None:
    assert differences(*(RunFolder(Path("outputs") / name) for name in (one, other))) == []


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], int], int | None], list[list[int]]]:
    """Let updates take other batches, or a bad one; returns the samples of each update that was tried."""
    original = Loader.batch

    def replace(number_of: Callable[[int], int] = lambda n: n, bad: int | None = None) -> list[list[int]]:
        tried: list[list[int]] = []

        def batch(self: Loader, number: int) -> Any:
            tried.append(self.sample_numbers(number_of(number)))
            made = original(self, number_of(number))
            if number == bad:
                made[0][0][0, 0, 0, 0] = math.nan
            return made

        monkeypatch.setattr(Loader, "batch", batch)
        return tried

    return replace


@pytest.mark.parametrize(
    ("bad", "back"),
    [(9, 9), pytest.param(16, 15, marks=SLOW)],
    ids=["from before the change", "from after it"],
)
@pytest.mark.parametrize("scheduler", slow_but("native", ["ours", "native", "plateau"]))
def test_a_rollback_goes_on_as_if_the_batches_were_not_there(
    run_cli, batches, scheduler: str, bad: int, back: int
) -> None:
    options = (*BASE, *SCHEDULERS[scheduler], "trainer.on_nonfinite=rollback", f"sweep.until={AT}")
    assert run_cli(*options).code == 0
    copied("twin")
    changes = (
        "dataset.batch_size=32",
        "optimizer.weight_decay=0.1",
        "checkpoint.allow_change=[dataset.batch_size,optimizer.weight_decay]",
    )
    batches(bad=bad)
    ended = go_on(run_cli, *changes)
    over = bad + 1 - back
    assert (ended.result()["rollbacks"], ended.result()["passed"]) == (1, over)
    batches(lambda n: n + over if n >= back else n)
    twin = go_on(run_cli, *changes, name="twin")
    assert ended.result()["weights_sha256"] == twin.result("twin")["weights_sha256"]
    without = [{key: value for key, value in row.items() if key != "passed"} for row in ended.rows()]
    assert without == twin.rows("twin")


@pytest.mark.parametrize("until", slow_but(16, [10, 11, 16, 19]))
def test_a_rollback_after_a_change_stopped_and_resumed(run_cli, batches, until: int) -> None:
    run_cli(*BASE, *SCHEDULERS["native"], "trainer.on_nonfinite=rollback", f"sweep.until={AT}")
    copied("whole")
    batches(bad=16)
    go_on(run_cli, *WIDER, name="whole")
    assert run_cli("resume=outputs/run", *WIDER, f"sweep.until={until}").code == 0
    go_on(run_cli)
    same("whole", "run")


def test_an_older_checkpoint_than_the_change_is_named(run_cli, batches, monkeypatch: pytest.MonkeyPatch) -> None:
    run_cli(*BASE, "trainer.on_nonfinite=rollback", f"sweep.until={AT}")
    batches(bad=9)
    state = next(Path("outputs/run/checkpoints").glob("*0009")) / "state.pt"
    poisoned = Loader.batch

    def damage(self: Loader, number: int) -> Any:
        state.write_bytes(b"damaged")
        return poisoned(self, number)

    monkeypatch.setattr(Loader, "batch", damage)
    ended = run_cli("resume=outputs/run", "sweep.until=null", *WIDER)
    assert ended.code == 3
    assert "the last good checkpoint is step 5, from before an epoch had other updates: resume the run" in ended.err


def test_skipped_batches_before_and_after_a_change_lose_no_other_sample(run_cli, batches) -> None:
    """Batch 10 is bad before the change; 14, the second of the new pace, after it."""
    skip = (*BASE, "trainer.on_nonfinite=skip")
    before = batches(bad=10)
    assert run_cli(*skip, "sweep.until=12").code == 0
    after = batches(bad=14)
    ended = go_on(run_cli, *WIDER)
    assert (ended.result()["passed"], ended.result()["epoch"], ended.result()["step"]) == (2, 4.0, 18)
    stream = [sample for epoch in range(5) for sample in order(0, epoch, 86).tolist()]
    drawn = [sample for update in [*before, *after] for sample in update]
    assert drawn == stream[: len(drawn)]
    # 13 batches of epochs 0 to 2; the 70 samples that are left of epoch 2 in 3 updates; then whole epochs of 3.
    assert [len(update) for update in after] == [32, 32, 6, 32, 32, 22, 32]
    epochs = [row["epoch"] for row in ended.rows() if "lr/default" in row]
    assert epochs[12:] == pytest.approx([2, 2 + 32 / 86, 2 + 64 / 86, 3, 3 + 32 / 86, 3 + 64 / 86])


def test_skipped_batches_stopped_and_resumed_after_a_change(run_cli, batches) -> None:
    run_cli(*BASE, "trainer.on_nonfinite=skip", f"sweep.until={AT}")
    copied("whole")
    batches(bad=12)
    go_on(run_cli, *WIDER, name="whole")
    for until in (10, 12, 13):
        assert run_cli("resume=outputs/run", *WIDER, f"sweep.until={until}").code == 0
    go_on(run_cli)
    same("whole", "run")


def test_other_data_go_on_at_the_same_epoch(run_cli, batches) -> None:
    """120 samples leave 86 to train on, 200 leave 144: 9 updates an epoch for 6."""
    run_cli(*BASE, f"sweep.until={AT}")
    tried = batches()
    ended = go_on(run_cli, "dataset.samples=200", "checkpoint.allow_change=[dataset]")
    left = math.floor(144 * 38 / 86 + 0.5)
    assert len(tried[0]) == 16
    assert ended.result()["step"] == AT + math.ceil(left / 16) + 2 * 9
    rows = [row for row in ended.rows() if "lr/default" in row]
    assert [row["epoch"] for row in rows[AT : AT + 2]] == pytest.approx(
        [1 + 48 / 86, 1 + 48 / 86 + 16 / left * 38 / 86]
    )
    assert rows[AT + math.ceil(left / 16)]["epoch"] == 2.0
    under_way = [sample for update in tried[: math.ceil(left / 16)] for sample in update]
    assert under_way == order(0, 1, 144).tolist()[144 - left :]
    place = math.floor((1 + 48 / 86) * 9 + 0.5)
    assert rows[AT]["lr/default"] == pytest.approx(0.05 * (1 + math.cos(math.pi * place / 36)), rel=1e-12)


@pytest.mark.parametrize(
    ("options", "change", "steps", "sizes"),
    [
        # 3 updates of 16 repeated for ever; in the second of epoch 3, 16 of 48 samples are left.
        (["trainer.overfit_batches=3"], "dataset.batch_size=8", 11 + 1, [8]),
        pytest.param(["trainer.overfit_batches=3"], "trainer.overfit_batches=2", 11 + 1, [11], marks=pytest.mark.slow),
        pytest.param(["trainer.overfit_batches=3"], "trainer.overfit_batches=null", 11 + 2, [16, 13], marks=SLOW),
        pytest.param(
            ["trainer.limit_batches=4"], "trainer.limit_batches=2", 11 + 1 + 2, [8, 16, 16], marks=pytest.mark.slow
        ),
        (["trainer.limit_batches=4"], "trainer.limit_batches=null", 11 + 2 + 6, [16, 6, 16]),
        pytest.param([], "trainer.overfit_batches=3", 11 + 1 + 2 * 3, [3, 16, 16], marks=pytest.mark.slow),
    ],
)
def test_overfitting_and_limits(
    run_cli, batches, options: list[str], change: str, steps: int, sizes: list[int]
) -> None:
    run_cli(*BASE, *options, "sweep.until=11")
    tried = batches()
    key = change.partition("=")[0]
    ended = go_on(run_cli, change, f"checkpoint.allow_change=[{key}]")
    assert ended.result()["epoch"] == 4.0
    assert [len(update) for update in tried][: len(sizes)] == sizes
    assert ended.result()["step"] == steps


def test_the_warning_counts_what_every_earlier_clock_trained_on(run_cli) -> None:
    """The second change alone moves no sample to the validation part that its own clock trained on."""
    run_cli(*BASE, "sweep.until=12")  # all 86 training samples are seen
    change = "checkpoint.allow_change=[dataset.validation,dataset.batch_size]"
    first = run_cli("resume=outputs/run", "dataset.validation=0.3", change, "sweep.until=13")
    assert "19 now validate" in first.err  # 29 of 96 instead of 10, those among them
    second = run_cli("resume=outputs/run", "dataset.batch_size=32", change, "sweep.until=14")
    assert "19 now validate" in second.err


@pytest.mark.parametrize("scheduler", slow_but("sequence", SCHEDULERS))
def test_a_changed_run_stopped_and_resumed_is_the_undisturbed_one(run_cli, scheduler: str) -> None:
    """Two changes of pace, one after the other; the cut run stops at each of its steps."""
    narrower = ("dataset.batch_size=10", "checkpoint.allow_change=[dataset.batch_size]")
    run_cli(*BASE, *SCHEDULERS[scheduler], f"sweep.until={AT}")
    copied("whole")
    assert run_cli("resume=outputs/whole", *WIDER, "sweep.until=13").code == 0
    steps = go_on(run_cli, *narrower, name="whole").result("whole")["step"]
    for until in (10, 11, 13):
        assert run_cli("resume=outputs/run", *WIDER, f"sweep.until={until}").code == 0
    for until in (14, 16, 18, steps - 1):
        assert run_cli("resume=outputs/run", *narrower, f"sweep.until={until}").code == 0
    go_on(run_cli)
    same("whole", "run")


def rates(ended: Ended) -> list[float]:
    return [row["lr/default"] for row in ended.rows() if "lr/default" in row]


def cosine(place: int, steps: int, top: float = 0.1) -> float:
    return top / 2 * (1 + math.cos(math.pi * place / steps))


LOOP = [0.1, 0.1, 0.05, 0.025, 0.0125, 0.00625, 0.003125, 0.0015625]  # updates 6 to 13
# 4 epochs of 6 updates are 24 steps. At update 9, 38 of 86 samples are left: 2 updates of 32, then 3 an epoch.
HELD = [cosine(place, 12) for place in (5, 5, 6, 7, 8, 9, 10, *[11] * 6)]
LENGTHS = {
    "epochs, then steps": (
        (),
        ("trainer.steps=28",),
        "keep",
        [cosine(min(t, 23), 24) for t in range(9, 28)],
        7 + 64 / 86,
    ),
    "epochs, then steps, reannealed": (
        (),
        ("trainer.steps=28",),
        "reanneal",
        [cosine(t, 19, 0.075) for t in range(19)],
        7 + 64 / 86,
    ),
    "steps, then epochs": (("trainer.steps=24",), ("trainer.epochs=6",), "keep", [*HELD, cosine(11, 12)], 6.0),
    "steps, then epochs, reannealed": (
        ("trainer.steps=24",),
        ("trainer.epochs=6",),
        "reanneal",
        [cosine(t, 13, 0.075) for t in (0, *range(13))],
        6.0,
    ),
}


@pytest.mark.parametrize(
    ("first", "then", "policy", "expected", "epoch"),
    [pytest.param(*case, marks=SLOW if "reannealed" in name else (), id=name) for name, case in LENGTHS.items()],
)
def test_a_length_in_other_units_with_another_batch_size(
    run_cli, first: tuple[str, ...], then: tuple[str, ...], policy: str, expected: list[float], epoch: float
) -> None:
    run_cli(*BASE, "scheduler=cosine", *first, f"sweep.until={AT}")
    ended = go_on(run_cli, *WIDER, *then, f"trainer.on_extend={policy}")
    assert rates(ended) == pytest.approx([*(cosine(t, 24) for t in range(AT)), *expected], rel=1e-12, abs=1e-15)
    assert ended.result()["epoch"] == pytest.approx(epoch, rel=1e-12)


@pytest.mark.parametrize(
    ("first", "then", "left", "value"),
    [
        # 12 updates of 6 an epoch, 3 of 3; the plan in epochs stands at 9 of 12 then, that in steps at 15 of 24.
        pytest.param((), "trainer.steps=30", 15, cosine(8, 12), marks=SLOW),
        (("trainer.steps=24",), "trainer.epochs=8", 15, cosine(14, 24)),
    ],
    ids=["epochs, then steps", "steps, then epochs"],
)
def test_a_length_in_other_units_after_another_batch_size(
    run_cli, first: tuple[str, ...], then: str, left: int, value: float
) -> None:
    run_cli(*BASE, "scheduler=cosine", *first, "sweep.until=12")
    assert run_cli("resume=outputs/run", *WIDER, "sweep.until=15").code == 0
    refused = run_cli("resume=outputs/run", "sweep.until=null", then, "trainer.on_extend=keep")
    assert (refused.code, "cannot keep a plan in" in refused.err) == (2, True), refused.err
    ended = go_on(run_cli, then, "trainer.on_extend=reanneal")
    assert rates(ended)[15:] == pytest.approx([cosine(t, left, value) for t in range(left)], rel=1e-12)
    assert ended.result()["epoch"] == 8.0


def test_a_closed_loop_in_a_sequence_keeps_its_level(run_cli) -> None:
    """The loop has the places 6 to 17 of 24, then 3 to 8 of 12; no evaluation after its first is better to it."""
    sequence = SCHEDULERS["sequence"][1].replace("threshold: 0.5", "threshold: 0.99")
    run_cli(*BASE, "scheduler=sequence", sequence, "trainer.evaluate_every=1st", f"sweep.until={AT}")
    ended = go_on(run_cli, *WIDER)
    ramp = [0.1 * (1 - place / 6) for place in range(6)]
    assert rates(ended) == pytest.approx([*ramp, *LOOP, 0.1, 0.1, 0.1], rel=1e-12)


@pytest.mark.parametrize(
    ("at", "size", "every", "expected", "evaluated"),
    [
        # Places 5, 5, 6, … of 12; an evaluation at every 5th: two at the place 5, one step.
        (9, 32, "40%", [0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025], [9, 10, 15, 17]),
        # The evaluation of update 10 was the first fifth of 12 already: the first update stands there again.
        pytest.param(11, 32, "40%", [0.05, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025], [10, 11, 16, 18], marks=SLOW),
        # Places 9, …, 14, 16, … of 32: the 15th has no update of its own, and its evaluation is made at the 16th.
        pytest.param(7, 12, "47%", [0.1] * 6 + [0.05] * 14 + [0.025] * 2, [13, 27, 29], marks=SLOW),
    ],
)
def test_an_evaluation_counts_once_at_each_place_of_the_plan(
    run_cli, at: int, size: int, every: str, expected: list[float], evaluated: list[int]
) -> None:
    halves = ("scheduler=torch/StepLR", "scheduler.interval=evaluation", "scheduler.step_size=1", "scheduler.gamma=0.5")
    run_cli(*BASE, *halves, f"trainer.evaluate_every={every}", f"sweep.until={at}")
    ended = go_on(run_cli, f"dataset.batch_size={size}", "checkpoint.allow_change=[dataset.batch_size]")
    assert [row["step"] for row in ended.rows() if "val/loss" in row] == evaluated
    assert rates(ended)[at:] == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("death", [10, 11, 13, 14, 16])
def test_a_changed_run_killed_and_resumed_is_the_undisturbed_one(tmp_path: Path, scheduler: str, death: int) -> None:
    """SIGKILL right after the checkpoints of 11 and 14 (epochs 2 and 3), and between two checkpoints."""
    options = (*BASE, *SCHEDULERS[scheduler], "checkpoint.every=3st", f"sweep.until={AT}")
    wider, places = (*WIDER, "sweep.until=null"), (tmp_path / "whole", tmp_path / "cut")
    for place in places:
        assert run(place, *options).code == 0
    assert resume(places[0], *wider).code == 0
    fault = partial(kill_after_save, death) if death in (11, 14) else partial(stop_at, death, signal.SIGKILL)
    assert resume(places[1], *wider, faults=[fault]).code == KILLED
    ended = resume(places[1])
    assert ended.code == 0, ended.said
    assert differences(*(RunFolder(place / "outputs" / "run") for place in places)) == []
