"""Rows are read as they come: half lines wait, a resume is noticed, memory is bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrsched.watch.follow import TAIL, Followed, Series


def line(step: int, **values: float) -> str:
    return json.dumps({"step": step, **{name.replace("_", "/"): value for name, value in values.items()}}) + "\n"


def points(followed: Followed, name: str = "val/loss") -> list[tuple[float, float]]:
    curve = followed.curves([name]).get(name)
    return [] if curve is None else list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_only_what_is_new_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = Followed(file, 100)
    assert not followed.update()  # the run has not begun
    file.write_text(line(1, val_loss=0.5))
    assert followed.update()
    assert not followed.update()
    taken: list[bytes] = []
    take = followed._take
    monkeypatch.setattr(followed, "_take", lambda row: (taken.append(row), take(row)))
    with file.open("a") as more:
        more.write(line(2, val_loss=0.25))
    assert followed.update()
    assert points(followed) == [(1, 0.5), (2, 0.25)]
    assert len(taken) == 1
    assert followed.step == 2


def test_a_half_written_line_waits_for_its_end(file: Path) -> None:
    followed = Followed(file, 100)
    whole = line(2, val_loss=0.25)
    file.write_text(line(1, val_loss=0.5) + whole[:9])
    followed.update()
    assert points(followed) == [(1, 0.5)]
    assert not followed.update()
    with file.open("a") as more:
        more.write(whole[9:])
    assert followed.update()
    assert points(followed) == [(1, 0.5), (2, 0.25)]


@pytest.mark.parametrize("again", [1, 3, 9], ids=["shorter", "as long", "longer"])
def test_a_resume_that_cut_rows_back_is_noticed(file: Path, again: int) -> None:
    followed = Followed(file, 100)
    first = [line(step, val_loss=1.0) for step in range(1, 5)]
    file.write_text("".join(first))
    followed.update()
    other = [line(step, val_loss=2.0) for step in range(2, 2 + again)]
    file.write_text("".join([first[0], *other]))
    if again == 3:  # the same size: noticed when the next row comes
        file.write_text("".join([first[0], *other, line(5, val_loss=3.0)]))
        other.append(line(5, val_loss=3.0))
    assert followed.update()
    assert points(followed)[:3] == [(1, 1), (2, 2), (3, 2)][: 1 + again]
    assert len(points(followed)) == 1 + len(other)


def test_a_file_that_was_put_in_its_place_is_read_anew(file: Path) -> None:
    followed = Followed(file, 100)
    file.write_text(line(1, val_loss=1.0) * 9)
    followed.update()
    new = file.with_name("new")
    new.write_text(line(7, val_loss=7.0) * 20)
    new.replace(file)
    assert followed.update()
    assert points(followed) == [(7, 7)]
    file.unlink()
    assert followed.update()
    assert points(followed) == []


@pytest.mark.parametrize(
    "damaged",
    [
        *("{nonsense}\n", "[1]\n", '{"step": "x"}\n', '{"val/loss": 1}\n', "[" * 5000 + "\n"),
        *('{"step": NaN}\n', '{"step": 1e999}\n', f'{{"step": 2, "val/loss": 1{"0" * 400}}}\n'),
    ],
    ids=["nonsense", "list", "text", "no step", "deep", "nan", "infinite", "huge"],
)
def test_rows_end_at_the_first_damaged_one(file: Path, damaged: str) -> None:
    followed = Followed(file, 100)
    file.write_text(line(1, val_loss=1.0) + damaged + "\n" + line(2, val_loss=2.0))
    followed.update()
    assert points(followed) == [(1, 1)]


def test_no_link_is_followed(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(line(1, val_loss=1.0))
    file.symlink_to(secret)
    followed = Followed(file, 100)
    assert not followed.update()
    assert points(followed) == []


def test_a_long_run_keeps_a_bounded_number_of_points_and_the_last() -> None:
    series = Series(50)
    for step in range(10_000):
        series.add(step, -step)
        assert len(series._steps) <= 100
    curve = series.curve()
    assert curve is not None
    assert curve.steps[0] == 0
    assert curve.steps[-1] == 9999
    assert curve.values[-1] == -9999
    gaps = {int(after - before) for before, after in zip(curve.steps[:-2], curve.steps[1:-1], strict=True)}
    assert gaps == {128}  # 2^7: a power of two, so that the seeds of a schedule share steps


def test_the_later_of_two_rows_with_one_step_holds() -> None:
    series = Series(50)
    for step, value in ((1, 1.0), (1, 2.0), (2, 3.0), (2, 4.0)):
        series.add(step, value)
    curve = series.curve()
    assert curve is not None
    assert (curve.steps.tolist(), curve.values.tolist()) == ([1, 2], [2, 4])


def test_more_than_a_tail_is_compared_by_its_end(file: Path) -> None:
    followed = Followed(file, 100)
    file.write_text("".join(line(step, val_loss=1.0) for step in range(20)))
    assert file.stat().st_size > 2 * TAIL
    followed.update()
    with file.open("a") as more:
        more.write(line(20, val_loss=1.0))
    followed.update()
    assert [step for step, _ in points(followed)] == list(range(21))
