"""Another number of updates an epoch on resume: the run goes on at the same epoch, as a loop by hand would."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from lrsched.data.loader import Loader
from tests.helpers.cli import TINY, Ended

BASE = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "optimizer.lr=0.1", "optimizer.no_decay=false", "name=run")
SAMPLES, SIZE, AN_EPOCH = 86, 16, 6

SCHEDULERS = {
    "ours": ("scheduler=cosine",),
    "native": ("scheduler=torch/CosineAnnealingLR", "scheduler.interval=step", "scheduler.T_max=auto"),
    "plateau": ("scheduler=torch/ReduceLROnPlateau", "scheduler.patience=0", "scheduler.threshold=0.5"),
}
POLICY = {"ours": "reanneal", "native": "keep", "plateau": "keep"}
STOPS = {"end": 12, "middle": 9}


@dataclass(frozen=True)
class Pace:
    """Samples that an epoch trains on, samples of an update, updates of an epoch."""

    samples: int
    size: int

    @property
    def an_epoch(self) -> int:
        return math.ceil(self.samples / self.size)


CHANGES = {
    "batch size": ("dataset.batch_size", "32", Pace(86, 32)),
    "smaller batch": ("dataset.batch_size", "10", Pace(86, 10)),
    "accumulation": ("trainer.accumulate", "2", Pace(86, 32)),
    "split": ("dataset.validation", "0.3", Pace(67, 16)),
    "limit": ("trainer.limit_batches", "4", Pace(64, 16)),
}


@dataclass
class Bare:
    """A loop that counts by hand: at each update the epoch, and the place in a plan of ``an_epoch`` an epoch."""

    pace: Pace
    epoch: Fraction = Fraction(0)
    step: int = 0
    place: int = 0
    sample: Fraction | None = None
    rows: list[tuple[float, int]] = field(default_factory=list)
    used: list[float] = field(default_factory=list)

    def run(self, until: Fraction | int, rate: Callable[[int], float], most: int = 10**9) -> None:
        """Train to an epoch, or for so many updates."""
        while self.epoch < until and most:
            whole = math.floor(self.epoch) + 1
            sample = Fraction(1, self.pace.samples) if self.sample is None else self.sample
            seen = min(self.pace.size * sample, whole - self.epoch)
            self.place = min(self.place, whole * self.pace.an_epoch - 1)
            self.rows.append((float(self.epoch), self.place))
            self.used.append(rate(self.place))
            self.epoch, self.step, self.place, most = self.epoch + seen, self.step + 1, self.place + 1, most - 1
            if self.epoch == whole:
                self.place, self.sample = whole * self.pace.an_epoch, None

    def change(self, pace: Pace) -> None:
        self.pace, self.place = pace, self.at(self.epoch, pace)
        left = math.ceil(self.epoch) - self.epoch
        if left:  # a whole number of samples makes the rest of the epoch
            self.sample = left / math.floor(left * pace.samples + Fraction(1, 2))

    @staticmethod
    def at(epoch: Fraction, pace: Pace) -> int:
        return math.floor(epoch * pace.an_epoch + Fraction(1, 2))


def cosine(steps: int) -> Callable[[int], float]:
    return lambda t: 0.05 * (1 + math.cos(math.pi * t / steps))


def reannealed(value: float, at: int, steps: int) -> Callable[[int], float]:
    return lambda t: value / 2 * (1 + math.cos(math.pi * (t - at) / (steps - at)))


def native(steps: int) -> Callable[[int], float]:
    """PyTorch's class, stepped after each place of its plan; then it holds its last value."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return lambda t: rates[min(t, steps - 1)]


def rows_of(ended: Ended) -> list[dict]:
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "lr/default" in row]
    assert [row["step"] for row in rows] == list(range(len(rows)))
    return rows


def resumed(run_cli, *overrides: str) -> Ended:
    return run_cli("resume=outputs/run", *overrides)


def check_cell(run_cli, change: str, scheduler: str, extension: str, stop: str) -> None:
    """Make a run by the command line and by hand, and compare every update."""
    key, value, pace = CHANGES[change]
    changed = (f"{key}={value}", f"checkpoint.allow_change=[{key}]")
    longer = ("trainer.epochs=6", f"trainer.on_extend={POLICY[scheduler]}")
    at = STOPS[stop]
    stops = {"before": (at - 5, at), "with": (at, at), "after": (at, at + 3), "none": (at, at)}[extension]
    commands = {
        "none": [changed],
        "before": [longer, changed],
        "with": [(*longer, *changed)],
        "after": [changed, longer],
    }[extension]
    made = run_cli(*BASE, *SCHEDULERS[scheduler], f"sweep.until={stops[0]}")
    if len(commands) == 2:
        made = resumed(run_cli, *commands[0], f"sweep.until={stops[1]}")
        assert made.code == 0, made.err
    made = resumed(run_cli, *commands[-1], "sweep.until=null")
    rows = rows_of(made)

    bare, end = Bare(Pace(SAMPLES, SIZE)), 4 if extension == "none" else 6
    kind = {"ours": cosine, "native": native, "plateau": lambda steps: lambda t: math.nan}[scheduler]
    rate = kind(4 * AN_EPOCH)

    def extend(place: int) -> None:
        nonlocal rate
        if scheduler == "ours":
            rate = reannealed(bare.used[-1], place, 6 * bare.pace.an_epoch)

    if extension == "before":
        bare.run(6, rate, stops[0])
        extended_at, value_then = bare.epoch, bare.used[-1]
        extend(bare.place)
        bare.run(6, rate, stops[1] - stops[0])
        bare.change(pace)
        if scheduler == "ours":
            rate = reannealed(value_then, Bare.at(extended_at, pace), 6 * pace.an_epoch)
        else:
            rate = kind(4 * pace.an_epoch)
    else:
        bare.run(6, rate, at)
        bare.change(pace)
        rate = kind(4 * pace.an_epoch)
        if extension == "with":
            extend(bare.place)
        if extension == "after":
            bare.run(6, rate, 3)
            extend(bare.place)
    bare.run(end, rate)

    assert len(rows) == bare.step == made.result()["step"]
    # Before the change, a run of one pace counts updates.
    epochs = [row["epoch"] for row in rows]
    assert epochs[:at] == pytest.approx([t / AN_EPOCH for t in range(at)], abs=1e-12)
    exact = 0.02 if (change, stop) == ("split", "middle") else 1e-12  # of the new part, other numbers are unseen
    assert epochs[at:] == pytest.approx([epoch for epoch, _ in bare.rows[at:]], abs=exact)
    assert epochs == sorted(epochs)
    assert made.result()["epoch"] == end
    if scheduler == "plateau":
        assert [row["lr/default"] for row in rows] == pytest.approx(by_metrics(made, len(rows)), rel=1e-12)
    else:
        assert [row["lr/default"] for row in rows] == pytest.approx(bare.used, rel=1e-9, abs=1e-12)


def by_metrics(made: Ended, steps: int) -> list[float]:
    """The rates of PyTorch's plateau on the metrics of a run, an evaluation after each epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5)
    seen = {row["step"]: row for row in made.rows() if "val/loss" in row}
    rates = []
    for step in range(steps):
        if step in seen:
            assert float(seen[step]["epoch"]).is_integer()
            scheduler.step(seen[step]["val/loss"])
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize(
    ("change", "scheduler", "extension", "stop"),
    [
        ("batch size", "ours", "none", "end"),
        ("smaller batch", "ours", "with", "middle"),
        ("accumulation", "native", "none", "middle"),
        pytest.param("split", "ours", "before", "middle", marks=pytest.mark.slow),
        ("limit", "plateau", "none", "middle"),
    ],
)
def test_the_run_goes_on_at_the_same_epoch(run_cli, change: str, scheduler: str, extension: str, stop: str) -> None:
    check_cell(run_cli, change, scheduler, extension, stop)


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("extension", ["none", "before", "with", "after"])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("change", CHANGES)
def test_the_table_of_changes(run_cli, change: str, scheduler: str, extension: str, stop: str) -> None:
    check_cell(run_cli, change, scheduler, extension, stop)


@pytest.mark.parametrize(
    ("override", "left"),
    [
        ("dataset.batch_size=256", 18),
        pytest.param("dataset.batch_size=128", 33, marks=pytest.mark.slow),
        pytest.param("dataset.batch_size=32", 123, marks=pytest.mark.slow),
        ("trainer.accumulate=3", 21),
    ],
)
def test_the_updates_that_the_rest_has(run_cli, override: str, left: int) -> None:
    options = ("dataset=digits", "trainer.epochs=6", "trainer.progress=false", "scheduler=cosine")
    run_cli(*options, "name=run", "trainer.log_every=1st", "sweep.until=63")
    made = resumed(run_cli, override, f"checkpoint.allow_change=[{override.partition('=')[0]}]", "sweep.until=null")
    rows = rows_of(made)
    assert (len(rows), made.result()["epoch"]) == (63 + left, 6.0)
    base = rows[0]["lr/default"]
    assert rows[62]["lr/default"] == pytest.approx(base / 2 * (1 + math.cos(math.pi * 62 / 126)), rel=1e-12)
    expected = [base / 2 * (1 + math.cos(math.pi * (1 + i / left) / 2)) for i in range(left)]
    assert [row["lr/default"] for row in rows[63:]] == pytest.approx(expected, rel=1e-12)
    assert rows[63]["epoch"] == 3.0


def test_an_extension_in_the_same_command_starts_at_the_value_in_force(run_cli) -> None:
    run_cli("dataset=digits", "trainer.epochs=6", "trainer.progress=false", "scheduler=cosine", "name=run",
            "trainer.log_every=1st", "optimizer.lr=0.1", "sweep.until=63")  # fmt: skip
    allowed = "checkpoint.allow_change=[dataset.batch_size]"
    longer = ("trainer.epochs=8", "trainer.on_extend=reanneal")
    rows = rows_of(resumed(run_cli, "dataset.batch_size=32", allowed, *longer, "sweep.until=null"))
    assert len(rows) == 63 + 5 * 41
    assert rows[63]["lr/default"] == rows[62]["lr/default"] == pytest.approx(0.0512, abs=5e-5)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """The samples of every update, each by its pixels."""
    taken: list[list[bytes]] = []
    original = Loader.batch

    def batch(self: Loader, step: int) -> list[tuple[Tensor, Tensor]]:
        taken.append([bytes(self._data[0][number].numpy().tobytes()) for number in self.sample_numbers(step)])
        return original(self, step)

    monkeypatch.setattr(Loader, "batch", batch)
    return taken


def flat(updates: list[list[bytes]]) -> list[bytes]:
    return [sample for update in updates for sample in update]


@pytest.mark.parametrize(
    "override",
    [
        pytest.param("dataset.batch_size=32", marks=pytest.mark.slow),
        "dataset.batch_size=10",
        "trainer.accumulate=2",
    ],
)
def test_the_unseen_samples_of_the_epoch_follow_in_its_order(run_cli, trained, override: str) -> None:
    run_cli(*BASE, "name=whole")
    undisturbed = flat(trained)
    trained.clear()
    run_cli(*BASE, "sweep.until=8")
    allowed = f"checkpoint.allow_change=[{override.partition('=')[0]}]"
    assert resumed(run_cli, override, allowed, "sweep.until=null").code == 0
    assert flat(trained) == undisturbed
    size = 10 if "10" in override else 32
    assert [len(update) for update in trained[8:]][:2] == [size, min(size, 86 - 32 - size)]


def test_a_second_change_in_the_same_epoch_and_a_kill_in_between(run_cli, trained) -> None:
    run_cli(*BASE, "name=whole")
    undisturbed = flat(trained)
    trained.clear()
    run_cli(*BASE, "sweep.until=8")
    allowed = "checkpoint.allow_change=[dataset.batch_size]"
    resumed(run_cli, "dataset.batch_size=10", allowed, "sweep.until=9")
    resumed(run_cli, "sweep.until=10")
    made = resumed(run_cli, "dataset.batch_size=32", allowed, "sweep.until=null")
    assert made.code == 0, made.err
    assert flat(trained) == undisturbed
    assert made.result()["epoch"] == 4.0


def test_another_split_trains_no_sample_twice_in_the_epoch_and_warns_of_those_that_now_validate(
    run_cli, trained
) -> None:
    run_cli(*BASE, "sweep.until=9")
    before = set(flat(trained))
    made = resumed(
        run_cli, "dataset.validation=0.3", "checkpoint.allow_change=[dataset.validation]", "sweep.until=null"
    )
    assert made.code == 0, made.err
    under_way = trained[6 : 9 + 2]  # 37 or 38 of 67 are left: 38/16 -> 2 or 3 updates
    assert len(set(flat(under_way))) == len(flat(under_way))
    left = before - set(flat(trained[-5:]))  # the last epoch sees every training sample of the new split
    assert f"of the samples that the run was trained on, {len(left)} now validate" in made.err


def test_with_a_length_in_steps_the_steps_stay_and_the_epoch_is_mended(run_cli) -> None:
    options = (*BASE, "scheduler=cosine", "trainer.steps=24")
    run_cli(*options, "sweep.until=12")
    allowed = "checkpoint.allow_change=[dataset.batch_size]"
    made = resumed(run_cli, "dataset.batch_size=32", allowed, "sweep.until=null")
    rows = rows_of(made)
    assert [row["lr/default"] for row in rows] == pytest.approx([cosine(24)(t) for t in range(24)], rel=1e-12)
    assert made.result()["epoch"] == 6.0  # 2, and 12 updates of 3 an epoch
    assert rows[13]["epoch"] == pytest.approx(2 + 32 / 86)


@pytest.mark.parametrize(
    ("scheduler", "key"),
    [
        (("scheduler=torch/StepLR", "scheduler.interval=step", "scheduler.step_size=5"), "scheduler.step_size=5"),
        (("scheduler=torch/ExponentialLR", "scheduler.interval=step"), "scheduler._target_"),
    ],
)
def test_lengths_in_steps_of_a_native_class_are_refused(run_cli, scheduler: tuple[str, ...], key: str) -> None:
    run_cli(*BASE, *scheduler, "sweep.until=12")
    allowed = "checkpoint.allow_change=[dataset.batch_size]"
    made = resumed(run_cli, "dataset.batch_size=32", allowed, "sweep.until=null")
    assert (made.code, key in made.err, "an epoch had 6 and now has 3" in made.err) == (2, True, True), made.err


def test_durations_in_steps_keep_their_time(run_cli) -> None:
    run_cli(*BASE, "scheduler=linear", "scheduler.warmup=12st", "sweep.until=6")
    allowed = "checkpoint.allow_change=[dataset.batch_size]"
    rows = rows_of(resumed(run_cli, "dataset.batch_size=32", allowed, "sweep.until=null"))
    rates = [row["lr/default"] for row in rows]
    assert rates[5] == pytest.approx(0.1 * 6 / 12)
    assert rates[6:9] == pytest.approx([0.1 * 4 / 6, 0.1 * 5 / 6, 0.1])  # 12 updates of 6 an epoch are 6 of 3
