"""Schedules made of schedules: clocks, floors, other values, files; and what is refused, by its whole key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import (
    WSD,
    Constant,
    Cooldown,
    Cosine,
    Exponential,
    Linear,
    Noise,
    OneCycle,
    Product,
    Schedule,
    Sequence,
    Step,
    Table,
)

RUN = Horizon(steps=10, steps_per_epoch=2)
CYCLE = OneCycle(rise="1st", start=0.5, end=0.0, anneal="linear", momentum=(0.5, 0.75))


def part(length: str, schedule: Schedule) -> dict[str, object]:
    return {"length": length, "schedule": schedule}


def values(schedule: Schedule, peak: float = 1.0, run: Horizon = RUN) -> list[float]:
    return schedule.plan(run, peak).table().tolist()


# --- clocks ----------------------------------------------------------------------------------------


def test_epochs_and_steps_inside_a_part_are_those_of_the_run() -> None:
    two = Sequence(parts=[part("2st", Constant()), part("rest", Step(every="2ep", gamma=0.5))])
    assert values(two) == [1.0] * 6 + [0.5] * 4


def test_the_lengths_tile_what_the_warmup_leaves() -> None:
    two = Sequence(warmup="2st", parts=[part("50%", Constant()), part("3st", Linear(final=0.25))])
    assert values(two) == [0.5] + [1.0] * 7 + [0.75, 0.5]


def test_lengths_are_rounded_as_a_sum() -> None:
    thirds = Sequence(parts=[part("25%", Constant())] * 4)  # ends at 2.5, 5, 7.5, 10: 3, 5, 8, 10
    assert thirds.plan(RUN).starts.tolist() == [0, 3, 5, 8]


def test_sequences_nest() -> None:
    inner = Sequence(parts=[part("2st", Linear(final=0.5)), part("rest", Constant())])
    outer = Sequence(parts=[part("6st", Constant()), part("rest", inner)])
    assert values(outer) == [1.0] * 6 + [1.0, 0.75, 1.0, 1.0]
    flat = Sequence(parts=[part("6st", Constant()), part("2st", Linear(final=0.5)), part("rest", Constant())])
    assert values(outer) == values(flat)


def test_phases_of_a_product_are_the_common_refinement() -> None:
    plan = Product(factors=[WSD(warmup="2st", decay="4st"), Step(every="5st")]).plan(RUN)
    assert plan.starts.tolist() == sorted({0, 2, 6} | set(Step(every="5st").plan(RUN).starts.tolist()))
    assert plan.parts[0].name.startswith("warmup × ")


def test_a_cooldown_holds_where_it_ended_and_never_rises() -> None:
    assert values(Cooldown(of=Constant(), at="20%", decay="4st")) == [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0, 0]
    falls = Cooldown(of=Linear(), at="8st", decay="1st", final=0.5)
    np.testing.assert_array_max_ulp(values(falls)[7:], np.array([1 - 0.7, 1 - 0.8, 1 - 0.8]), maxulp=1)
    assert values(Cooldown(of=Constant(), at="100%", decay="0.1%")) == [1.0] * 10


# --- floors ----------------------------------------------------------------------------------------


def test_absolute_floors_of_children_are_measured_against_each_peak() -> None:
    child = Linear(final={"absolute": 0.25})
    expected = [1 + (0.5 - 1) * (t / 10) for t in range(10)]
    noise, product = Noise(of=child, std=0.0), Product(factors=[child, Constant()])
    for schedule in (Sequence(parts=[part("rest", child)]), noise, product):
        np.testing.assert_array_max_ulp(values(schedule, peak=0.5), np.array(expected), maxulp=1)


@pytest.mark.parametrize(
    "schedule",
    [
        Sequence(parts=[part("rest", Linear())], final=0.45),
        Product(factors=[Linear()], final=0.45),
        Noise(of=Linear(), std=0.0, final=0.45),
    ],
)
def test_a_floor_under_the_whole(schedule: Schedule) -> None:
    np.testing.assert_array_max_ulp(values(schedule), np.maximum(0.45, [1 - t / 10 for t in range(10)]), maxulp=1)


# --- other values of the group ---------------------------------------------------------------------


def test_the_momentum_of_a_part_waits_before_it_and_stays_after_it() -> None:
    schedule = Sequence(parts=[part("2st", Constant()), part("5st", CYCLE), part("rest", Constant())])
    momentum = [0.75] * 2 + [0.75, 0.5, 0.5625, 0.625, 0.6875] + [0.6875] * 3  # down in 1 step, up in 4
    assert schedule.table(RUN)["momentum"].tolist() == momentum


def test_momentum_passes_through() -> None:
    theirs = CYCLE.table(RUN)["momentum"]
    for schedule in (Product(factors=[Linear(), CYCLE]), Noise(of=CYCLE)):
        np.testing.assert_array_equal(schedule.table(RUN)["momentum"], theirs)
    cooled = Cooldown(of=CYCLE, at="3st", decay="2st").table(RUN)["momentum"]
    assert cooled.tolist() == [*theirs[:3], *[theirs[3]] * 7]


# --- files -----------------------------------------------------------------------------------------


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def test_a_csv(tmp_path: Path) -> None:
    path = write(
        tmp_path / "v.csv", "step, epoch,lr/default,weight_decay\n0,0,0.5,0.1\n1,0.5,0.25,0.2\n2,1,0.125,0.3\n"
    )
    columns = Table(path=path, column="lr/default", warmup="1st").table(Horizon(steps=5), 2.0)
    assert columns["lr"].tolist() == [1.0, 1.0, 0.5, 0.25, 0.25]
    assert columns["weight_decay"].tolist() == [0.1, 0.1, 0.2, 0.3, 0.3]
    absolute = Table(path=path, column="lr/default", absolute=True)
    assert absolute.table(Horizon(steps=2), 2.0)["lr"].tolist() == [0.5, 0.25]


def test_an_npz_longer_than_the_run_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez(path, lr=np.array([1.0, 0.5, 0.25]))
    assert values(Table(path=str(path)), run=Horizon(steps=2)) == [1.0, 0.5]


def test_what_was_read_belongs_to_the_value(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", "lr\n1\n")
    before = Table(path=path)
    write(tmp_path / "v.csv", "lr\n0.5\n")
    assert before != Table(path=path)
    assert values(before, run=Horizon(steps=1)) == [1.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr\n1\nnan\n", "column lr must hold finite numbers of at least 0"),
        ("lr\n-1\n", "column lr must hold finite numbers of at least 0"),
        ("rate\n1\n", "column=lr: is not a column of"),
        ("lr,lr\n1,1\n", "two columns have the same name"),
        ("lr,b\n1\n", "row 2 has 1 cells, the header 2"),
        ("lr\none\n", "holds no columns of numbers: could not convert string to float"),
        ("lr\n", "must hold columns of equal length, of at least one row"),
        ("", "it is empty"),
        ("step,lr\n0,1\n2,1\n", "its column step must count 0, 1, 2"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Table(path=write(tmp_path / "v.csv", text))
    assert said in str(caught.value)


def test_a_file_that_is_missing_short_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^path=.*: cannot be read: No such file"):
        Table(path=str(tmp_path / "v.csv"))
    with pytest.raises(ConfigError, match=r"^path=v\.txt: must be a \.csv or \.npz file"):
        Table(path="v.txt")
    with pytest.raises(ConfigError, match="holds no columns of numbers"):
        Table(path=write(tmp_path / "v.npz", "lr\n1\n"))
    short = Table(path=write(tmp_path / "v.csv", "lr\n1\n"), past="raise")
    with pytest.raises(ConfigError, match=r"^past=raise: .* has 1 rows for 10 steps; give it more rows, or past=hold"):
        short.plan(RUN)


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Sequence(parts=[]), "parts=[]: must be a list of parts"),
        (lambda: Sequence(parts=[{"schedule": Linear()}]), "parts[0]={schedule}: is a mapping of length and schedule"),
        (lambda: Sequence(parts=[part("rest", 0.1)]), "parts[0].schedule: must be an open-loop schedule, not float"),  # type: ignore[arg-type]
        (
            lambda: Sequence(parts=[part("rest", Linear()), part("1st", Linear())]),
            "parts[0].length=rest: only the last part can take the rest",
        ),
        (
            lambda: Sequence(parts=[part("0st", Linear()), part("rest", Linear())]),
            "parts[0].length=0st: must be at least one step; leave the part out",
        ),
        (lambda: Sequence(parts=[part("5", Linear())]), "parts[0].length=5: a duration carries its unit"),
        (
            lambda: Sequence(parts=[part("4st", Linear()), part("5st", Linear())]),
            "parts=[4st,5st]: are parts of 4, 5 steps, 9 of the 10 that they are to tile; let the last",
        ),
        (
            lambda: Sequence(parts=[part("12st", Linear()), part("rest", Linear())]),
            "parts=[12st,rest]: are parts of 12 steps, 12 of the 10",
        ),
        (
            lambda: Sequence(parts=[part("5st", Linear()), part("rest", Linear(warmup="50%"))]),
            "parts[1].schedule.warmup=50%: is 5 steps and leaves nothing of a run of 5 steps",
        ),
        (lambda: Product(factors=[]), "factors=[]: must be a list of schedules"),
        (lambda: Product(factors=["cosine"]), "factors[0]: must be an open-loop schedule, not str"),
        (
            lambda: Product(factors=[Noise(of=Linear(warmup="10st"))]),
            "factors[0].of.warmup=10st: is 10 steps and leaves nothing",
        ),
        (lambda: Noise(of=None), "of: must be an open-loop schedule, not NoneType"),
        (lambda: Noise(of=Linear(), std=-1), "std=-1: must be a number in [0, inf)"),
        (lambda: Noise(of=Linear(), limit=1.5), "limit=1.5: must be a number in (0, 1]"),
        (lambda: Noise(of=Linear(), seed=0.5), "seed=0.5: must be a whole number of at least 0"),
        (lambda: Cooldown(of=3, at="1st"), "of: must be an open-loop schedule, not int"),
        (
            lambda: Cooldown(of=Linear(), at="8st", decay="30%"),
            "decay=30%: is 3 steps from step 8 on, but there are 10 in all; shorten it, or give an earlier at",
        ),
        (lambda: Cooldown(of=Linear(), at="1st", decay="0st"), "decay=0st: must be at least one step"),
        (lambda: Cooldown(of=Linear(), at="1st", shape="log"), "shape=log: is not one of linear, cosine"),
        (lambda: Cooldown(of=Linear(), at="1st", shape="exponential"), "final=0.0: an exponential never gets to 0"),
        (lambda: Cooldown(of=Exponential(warmup="99%"), at="1st"), "of.warmup=99%: is 10 steps"),
    ],
)
def test_messages(make: Callable[[], Schedule], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(RUN)
    assert said in str(caught.value)


def test_two_factors_that_move_the_momentum() -> None:
    with pytest.raises(ConfigError, match=r"^factors\[1\]=OneCycle: moves momentum, as a factor before it does"):
        Product(factors=[CYCLE, CYCLE]).table(RUN)


def test_a_cosine_in_a_sequence_is_the_cosine_of_a_run_of_that_length() -> None:
    two = Sequence(parts=[part("4st", Constant()), part("rest", Cosine())])
    np.testing.assert_array_equal(values(two)[4:], values(Cosine(), run=Horizon(steps=6)))
