"""What a preview writes and prints."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.preview.block import block
from lrsched.preview.course import Course, Span
from lrsched.preview.plot import plot
from lrsched.preview.plots import png
from lrsched.preview.rows import csv_text

AWKWARD = np.array([0.1, 1 / 3, 5e-324, 1e300, 0.0])


def course(values: object, name: str = "test", **others: np.ndarray) -> Course:
    rate = np.asarray(values, dtype=np.float64)
    columns = {"lr/default": rate, **{f"{key}/default": column for key, column in others.items()}}
    return Course(name, Horizon(len(rate), 3), 1.0, columns)


def test_floats_read_back_exactly() -> None:
    rows = list(csv.reader(io.StringIO(csv_text([course(AWKWARD)]))))
    assert rows[0] == ["step", "epoch", "lr/default"]
    assert [int(row[0]) for row in rows[1:]] == [0, 1, 2, 3, 4]
    assert [float(row[1]) for row in rows[1:]] == [s / 3 for s in range(5)]
    assert [float(row[2]) for row in rows[1:]] == AWKWARD.tolist()


def test_several_schedules_have_a_leading_column_and_gaps_where_one_leaves_a_value_alone() -> None:
    text = csv_text([course([1.0, 0.5], "a"), course([0.5, 1.0], "b", momentum=np.array([0.95, 0.85]))])
    assert text.splitlines() == [
        "scheduler,step,epoch,lr/default,momentum/default",
        "a,0,0.0,1.0,",
        "a,1,0.3333333333333333,0.5,",
        "b,0,0.0,0.5,0.95",
        "b,1,0.3333333333333333,1.0,0.85",
    ]


def test_a_plot_goes_from_the_upper_left_to_the_lower_right() -> None:
    lines = plot([np.linspace(1, 0, 1000)], steps=1000, width=10, height=10, top=1.0)
    field = [line.partition("┤")[2] for line in lines]
    for number, row in enumerate(field):  # the diagonal, and nothing left of it or right of it
        assert len(row) - 1 <= number + 1
        assert not row[: max(0, number - 1)].strip()


def test_a_spike_of_one_step_in_a_million_is_seen() -> None:
    values = np.full(1_000_000, 0.1)
    values[123_456] = 1.0
    assert plot([values], steps=len(values), width=40, height=8, top=1.0)[0].partition("┤")[2].strip()


def test_a_shorter_run_takes_its_part_of_the_axis() -> None:
    lines = plot([np.ones(50)], steps=100, width=20, height=4, top=1.0)
    assert [len(line.partition("┤")[2]) for line in lines] == [10, 0, 0, 0]


def test_the_block_names_peak_last_area_restarts_and_phases() -> None:
    seen = Course(
        "saw", Horizon(4, 2), 1.0, {"lr/default": np.array([1.0, 0.5, 1.0, 0.25])}, (Span("fall", 0, 2),), "so"
    )
    text = block([seen], width=60)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 60
    assert "4 steps, 2 epochs" in text
    row = next(line for line in text.splitlines() if line.startswith("saw  "))
    assert row.split() == ["saw", "1", "0", "0.25", "2.75", "68.75", "%", "1"]
    assert text.endswith("saw: fall [0, 2)\nsaw: so")


def test_of_many_phases_the_middle_is_left_out() -> None:
    spans = tuple(Span("cycle", i, i + 1) for i in range(20))
    text = block([Course("c", Horizon(20), 1.0, {"lr/default": np.ones(20)}, spans)], width=60)
    assert "cycle [6, 7)  … 12 more …  cycle [19, 20)" in text


def test_without_colour_each_schedule_has_a_plot_of_its_own_on_one_scale() -> None:
    two = [course([1.0] * 9, "high"), course([0.5] * 9, "half")]
    high, half = block(two, width=60).split("\n\n")[:2]
    assert [high.splitlines()[1].split("┤")[0].strip(), half.splitlines()[1].split("┤")[0].strip()] == ["1", "1"]
    assert block(two, width=60, colour=True).count("└") == 1


def test_a_picture_is_a_png() -> None:
    content = png([course([1.0, 0.5], "a"), course([0.5, 1.0], "b", momentum=np.array([0.95, 0.85]))], "x.png")
    assert content.startswith(b"\x89PNG\r\n")


def test_without_matplotlib_the_picture_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"^--png=x.png: .*hydra-lrsched\[plot\]"):
        png([course([1.0])], "x.png")
