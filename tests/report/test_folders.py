"""Records beside runs that cannot be read, or are links: passed over, and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrsched.cli.report import main
from lrsched.page import beside
from lrsched.report.folders import is_own, unread
from lrsched.report.read import read_runs

ANSWER = {"method": "range", "suggestion": 0.1, "override": "optimizer.lr=0.1", "candidates": [], "cost_steps": 1}
RECORD = {"jobs": [{"run_id": "missing", "overrides": ["seed=0"], "status": "failed", "reason": "secret"}]}


@pytest.fixture
def sweep(leave, tmp_path: Path) -> Path:
    leave("Cosine", 0.1, 0, 0.5, under="sweep")
    return tmp_path / "sweep"


def linked(file: Path, content: object) -> None:
    """Put a link to another folder's file into a folder."""
    there = file.parent.parent / "elsewhere"
    there.mkdir(exist_ok=True)
    (there / file.name).write_text(json.dumps(content))
    file.symlink_to(there / file.name)


def test_a_link_to_a_record_is_not_followed(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    linked(sweep / "sweep.json", {**RECORD, "steps_asked": 7, "steps_trained": 5})
    linked(sweep / "find.json", ANSWER)
    assert [run.status for run in read_runs([sweep])] == ["finished"]
    assert beside.costs([sweep]) == []
    assert beside.answers([sweep]) == []
    assert main([str(sweep)]) == 0
    said = capsys.readouterr()
    for name, what in (("sweep.json", "what it says of jobs and costs"), ("find.json", "its answer")):
        why = f"{sweep / name} is passed over: it is a link, and links are not followed"
        assert f"lrsched: warning: {why}; {what} is not shown, the runs in the folder are\n" in said.err
    assert "secret" not in said.out


def test_a_folder_with_nothing_but_a_linked_answer_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "found").mkdir()
    linked(tmp_path / "found" / "find.json", ANSWER)
    assert not is_own(tmp_path / "found" / "find.json")
    assert main([str(tmp_path / "found")]) == 2
    assert "there is no run in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "Expecting value", id="empty"),
        pytest.param(b'{"jobs": [', "Expecting value", id="cut off"),
        pytest.param(b"\xff\xfe", "can't decode byte", id="bytes"),
        pytest.param(b"[]", "it is no JSON object", id="a list"),
        pytest.param(b'{"jobs": 3}', "its jobs have no run ids", id="no list"),
        pytest.param(b'{"jobs": [{"overrides": []}]}', "its jobs have no run ids", id="no ids"),
        pytest.param(b"[" * 100_000, "recursion", id="deep"),
    ],
)
def test_a_damaged_record_is_said(sweep: Path, content: bytes, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / "sweep.json").write_bytes(content)
    assert main([str(sweep)]) == 0
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if "sweep.json" in line]
    assert "is passed over: it cannot be read (" in line
    assert why in line
    assert "1 run: 1 finished" in said.out


def test_sound_records_are_passed_without_a_word(sweep: Path) -> None:
    (sweep / "sweep.json").write_text(json.dumps(RECORD))
    (sweep / "find.json").write_text(json.dumps(ANSWER))
    assert unread([sweep, sweep / "nowhere"]) == []
    (sweep / "sweep.json").write_text('{"jobs": []}')
    assert unread([sweep]) == []
