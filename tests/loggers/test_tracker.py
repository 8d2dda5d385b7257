"""What all trackers do: send each row once, when it can no longer be taken back, and never harm a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lrsched.loggers import RunInfo
from lrsched.loggers._tracker import Shown, Tracker

ROWS = [{"step": step, "epoch": step / 4, "train/loss": 1 / (step + 1)} for step in range(8)]
EVALUATED = {"step": 4, "epoch": 1.0, "val/loss": 0.5}


class Listed(Tracker):
    """Keeps what it is sent in a list that outlives it, as a service would."""

    name: ClassVar[str] = "json"  # a package that is always there

    def __init__(self, there: list[Any], *, fails: str = "") -> None:
        super().__init__()
        self.there, self.fails, self.ids = there, fails, list[str | None]()

    def start(self, run: RunInfo, id: str | None) -> str:
        if self.fails == "start":
            raise OSError(28, "No space left on device")
        self.ids.append(id)
        return id or "new"

    def send(self, items: Sequence[Any]) -> None:
        for item in items:
            if self.fails == "send" and len(self.there) >= 3:
                raise RuntimeError("http://me:secret@there/api\nis  down")
            self.there.append((item.step, item.name) if isinstance(item, Shown) else (item["step"], *sorted(item)[2:]))

    def has(self, row: Any) -> bool:
        return (row["step"], *sorted(row)[2:]) in self.there

    def end(self, step: int, metrics: Mapping[str, float], status: str) -> None:
        self.there.append((step, status, dict(metrics)))

    def where(self) -> str:
        return f"open {self._run.folder}"


def points(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [(row["step"], *sorted(row)[2:]) for row in rows]


def opened(folder: Path, there: list[Any], resumed_at: int | None = None, **made: Any) -> Listed:
    tracker = Listed(there, **made)
    tracker.open(RunInfo(folder, {}, 8, 4, 8, resumed_at=resumed_at))
    return tracker


def write(folder: Path, rows: Sequence[Mapping[str, Any]], tracker: Tracker) -> None:
    """Write rows as the journal does: into the file, then to the logger."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for row in rows:
        tracker.write(row)


def cut(folder: Path, rows: int) -> None:
    """Leave the first rows, as a resume does."""
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:rows]), "utf-8")


def test_nothing_is_sent_that_could_be_taken_back(tmp_path: Path) -> None:
    there: list[Any] = []
    tracker = opened(tmp_path, there)
    write(tmp_path, ROWS[:3], tracker)
    tracker.flush()
    assert there == []
    tracker.saved(3)
    assert there == points(ROWS[:3])
    write(tmp_path, ROWS[3:5], tracker)
    tracker.close({}, "failed")
    assert there == [*points(ROWS[:3]), (4, "failed", {})]


@pytest.mark.parametrize("killed_at", range(4, 9))
def test_a_killed_and_resumed_run_has_each_row_once(tmp_path: Path, killed_at: int) -> None:
    there: list[Any] = []
    tracker = opened(tmp_path, there)
    write(tmp_path, [*ROWS[:4], EVALUATED], tracker)
    tracker.saved(4)
    write(tmp_path, ROWS[4:killed_at], tracker)  # and there it is killed
    cut(tmp_path, 5)
    tracker = opened(tmp_path, there, resumed_at=4)
    assert tracker.ids == ["new"]
    tracker.write(EVALUATED)  # the journal repeats it
    write(tmp_path, ROWS[4:], tracker)
    tracker.saved(8)
    tracker.close({"test/loss": 0.25, "note": "text"})  # type: ignore[dict-item]  (no number, which nobody sends)
    assert there == [*points([*ROWS[:4], EVALUATED, *ROWS[4:]]), (7, "finished", {"test/loss": 0.25})]


def test_a_resume_from_an_older_checkpoint_sends_nothing_again(tmp_path: Path) -> None:
    there: list[Any] = []
    tracker = opened(tmp_path, there)
    write(tmp_path, ROWS[:6], tracker)
    tracker.saved(6)
    cut(tmp_path, 2)
    tracker = opened(tmp_path, there, resumed_at=2)
    write(tmp_path, ROWS[2:], tracker)
    tracker.saved(8)
    assert there == points(ROWS)


def test_a_tracker_that_is_added_on_resume_gets_the_rows_before(tmp_path: Path) -> None:
    there: list[Any] = []
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:4]), "utf-8")
    opened(tmp_path, there, resumed_at=4)
    assert there == points(ROWS[:4])


@pytest.mark.parametrize("arrived", range(4))
def test_what_a_kill_cut_off_while_it_was_sent_is_sent(tmp_path: Path, arrived: int) -> None:
    there: list[Any] = points(ROWS[:arrived])
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:4]), "utf-8")
    (tmp_path / "json.json").write_text(json.dumps({"id": "x", "rows": 0, "sending": 4, "shown": -1, "ended": -1}))
    tracker = opened(tmp_path, there, resumed_at=4)
    assert there == points(ROWS[:4])
    assert tracker.ids == ["x"]


def test_what_is_shown_is_sent_once(tmp_path: Path) -> None:
    there: list[Any] = []
    tracker = opened(tmp_path, there)
    write(tmp_path, [*ROWS[:4], EVALUATED], tracker)
    tracker.show(4, "wrong", b"png")
    tracker.saved(4)
    write(tmp_path, ROWS[4:6], tracker)
    tracker.show(6, "wrong", "words")
    cut(tmp_path, 5)
    tracker = opened(tmp_path, there, resumed_at=4)
    tracker.write(EVALUATED)
    tracker.show(4, "wrong", b"png")
    write(tmp_path, ROWS[4:6], tracker)
    tracker.show(6, "wrong", "words")
    tracker.saved(6)
    assert [item for item in there if item[1] == "wrong"] == [(4, "wrong"), (6, "wrong")]


def test_the_final_metrics_of_a_step_are_sent_once(tmp_path: Path) -> None:
    there: list[Any] = []
    for _ in range(2):  # killed before result.json, it ends again
        tracker = opened(tmp_path, there, resumed_at=None if not there else 8)
        write(tmp_path, [] if there else ROWS, tracker)
        if there:
            tracker.write({"step": 8, "epoch": 2.0})
        else:
            write(tmp_path, [{"step": 8, "epoch": 2.0}], tracker)
        tracker.saved(8)
        tracker.close({"test/loss": 0.25})
    assert [item for item in there if "finished" in item] == [(8, "finished", {"test/loss": 0.25}), (8, "finished", {})]


@pytest.mark.parametrize("fails", ["start", "send"])
def test_a_tracker_that_fails_is_one_line_and_no_harm(
    tmp_path: Path, fails: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there: list[Any] = []
    tracker = opened(tmp_path, there, fails=fails)
    for start in range(0, 8, 2):
        write(tmp_path, ROWS[start : start + 2], tracker)
        tracker.show(start, "wrong", "words")
        tracker.saved(start + 2)
    tracker.close({"test/loss": 0.25})
    said = capsys.readouterr().err.splitlines()
    reason = {
        "start": "OSError: [Errno 28] No space left on device",
        "send": "RuntimeError: http://…@there/api is down",
    }[fails]
    assert said == [
        f"lrsched: warning: logger.json: {reason}; the run goes on without it, and a resume sends what is missing"
    ]
    there.clear()
    tracker = opened(tmp_path, there, resumed_at=8)  # by now it works
    assert [item for item in there if item[-1] == "train/loss"] == points(ROWS)[-len(there) :]
    assert len(there) == {"start": 8, "send": 6}[fails]  # of the two that did arrive nothing is sent again


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rows": "x", "odd": 1}', "\0"])
def test_a_damaged_count_is_one_line(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "json.json").write_text(content)
    tracker = opened(tmp_path, [])
    write(tmp_path, ROWS, tracker)
    tracker.saved(8)
    tracker.close({})
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_tracker_that_works_says_how_to_look(tmp_path: Path) -> None:
    for fails, told in (("", f"open {tmp_path}"), ("start", "")):
        tracker = Listed([], fails=fails)
        tracker.open(RunInfo(tmp_path, {}, 1, 1, 1))
        tracker.close({})
        assert tracker.look == told
