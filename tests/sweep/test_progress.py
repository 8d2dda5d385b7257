"""The jobs of a sweep on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lrsched.loggers.base import RunInfo
from lrsched.loggers.slots import Progress, ProgressBoard, ProgressSlot
from lrsched.sweep.processes import Running
from lrsched.sweep.progress import watch as watching
from lrsched.sweep.progress.live import Live, Tally
from tests.helpers.cli import TINY

SWEEP = ("-m", *(item for item in TINY if not item.startswith("trainer.progress")), "name=sweep", "seed=0,1")


def seat(board: ProgressBoard, number: int, resumed_at: int | None = None) -> ProgressSlot:
    taken = ProgressSlot(board, number)
    config = {"checkpoint": {"monitor": "val/loss"}}
    taken.open(RunInfo(Path("run"), config, 120, 40, 16, resumed_at))
    return taken


def test_a_child_writes_what_its_parent_reads() -> None:
    board = ProgressBoard(2)
    child = os.fork()
    if child == 0:
        job = seat(board, 1)
        job.write({"step": 7, "epoch": 0.2, "val/loss": 0.5})
        job.write({"step": 8, "epoch": 0.2, "train/loss": 0.4})
        os._exit(0)
    os.waitpid(child, 0)
    assert board.read(1) == Progress(8, 120, "val/loss", 0.5)
    assert board.read(0) == Progress(0, 0, "", 0.0)


def test_a_seat_shows_nothing_of_the_job_before() -> None:
    board = ProgressBoard(1)
    seat(board, 0, resumed_at=60)
    assert board.read(0) == Progress(60, 120, "", 0.0)
    child = os.fork()
    if child == 0:
        board.slot(0)
        os._exit(0)
    os.waitpid(child, 0)
    assert board.read(0) == Progress(0, 0, "", 0.0)


def test_a_line_for_each_running_job_drawn_without_a_thread() -> None:
    out, now, board = io.StringIO(), [0.0], ProgressBoard(2)
    seat(board, 0).write({"step": 30, "epoch": 0.75, "val/loss": 0.25})
    running = [Running(1, 4, 0, 0.0), Running(2, 5, 1, 0.0)]
    threads = threading.active_count()
    with Live(board, [f"seed={i}" for i in range(8)], lambda: Tally(4, 0, 8), out, lambda: now[0]) as live:
        live.look(running)
        drawn = out.getvalue()
        live.look([])
        assert out.getvalue() == drawn  # not again within a fifth of a second
        assert threading.active_count() == threads
        for text in ("4/8 runs", "30/120  val/loss 0.2500  seed=4", "starting  seed=5"):
            assert text in drawn
        now[0] = 1.0
        live.look([])
        assert "seed" not in out.getvalue()[len(drawn) :]


def test_a_sweep_that_is_watched_shows_its_jobs(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "is_interactive", lambda stream: True)
    monkeypatch.setattr("lrsched.sweep.progress.live.REFRESH_SECONDS", 0.0)
    ended = run_cli(*SWEEP)
    assert ended.code == 0, ended.err
    for text in ("/12  ", "seed=0", "seed=1", "0/2 runs", "2/2 runs", "[2/2] "):
        assert text in ended.err
    quiet = run_cli(*SWEEP, "trainer.progress=false")
    assert "runs\x1b" not in quiet.err
    assert "\x1b" not in quiet.err


def last_line(out: io.StringIO, holding: str) -> str:
    """The last drawn line that holds a text, without its colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    return [line for line in re.split(r"\n|\x1b\[[0-9;?]*[A-Z]", plain) if holding in line][-1]


def test_the_time_left_is_said_once_there_is_a_base_for_it() -> None:
    out, now, board, tally = io.StringIO(), [100.0], ProgressBoard(1), [Tally(0, 0, 3, ahead=240, own={0: 120})]
    job, running = seat(board, 0), [Running(1, 0, 0, 0.0)]
    with Live(board, ["seed=0", "seed=1", "seed=2"], lambda: tally[0], out, lambda: now[0]) as live:
        job.write({"step": 20, "epoch": 0.5})
        now[0] = 102.0
        live.look(running)
        assert last_line(out, "0/3").split("runs")[1].split() == ["0:02"]
        job.write({"step": 60, "epoch": 1.5})
        now[0] = 160.0  # a step a second, and 60 + 240 to go
        live.look(running)
        assert last_line(out, "0/3").split("runs")[1].strip() == "1:00  about 5:00 left"
        tally[0] = Tally(1, 0, 3, trained=120, ahead=240)
        now[0] = 220.0
        live.look([])
        assert last_line(out, "1/3").split("runs")[1].strip() == "2:00  about 4:00 left"
        tally[0] = Tally(1, 1, 3, trained=120, ahead=None)
        now[0] = 221.0
        live.look([])
        assert last_line(out, "1/3").split("runs")[1].strip() == "1 failed  2:01"


def test_a_long_label_leaves_the_bar_its_place_and_the_end_of_the_line_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out, board = io.StringIO(), ProgressBoard(1)
    seat(board, 0).write({"step": 60, "epoch": 1.5})
    label = " ".join(f"optimizer.option{i}={i}" for i in range(9))
    with Live(board, [label], lambda: Tally(0, 0, 1), out, lambda: 0.0) as live:
        live.look([Running(1, 0, 0, 0.0)])
        line = last_line(out, "60/120").rstrip()
    assert len(line) == 76
    assert re.fullmatch(r"[━╸╺]{20} 60/120  optimizer.option0=0 .*…", line)


def test_nothing_of_it_stays_when_it_is_stopped() -> None:
    out, board = io.StringIO(), ProgressBoard(1)
    with Live(board, ["seed=0"], lambda: Tally(1, 0, 4, stopping=True), out, lambda: 0.0) as live:
        live.look([Running(1, 0, 0, 0.0)])
    assert "1/4 runs  0:00  stopping" in out.getvalue()
    last = out.getvalue().rpartition("runs")[2]
    assert "\x1b[1A\x1b[2K" in last  # up again, and the line is cleared


@pytest.mark.slow
def test_on_a_real_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from lrsched.cli.main import main; main()", "train", *SWEEP]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            drawn += part
    os.close(ours)
    assert process.returncode == 0, drawn
    assert b"2/2 runs" in drawn
    assert b"lrsched: [2/2]" in drawn
