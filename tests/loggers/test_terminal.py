"""Progress: a bar for people, lines for logs, and nothing on stdout."""

from __future__ import annotations

import io
import re
import sys
import threading
from pathlib import Path

import pytest

from lrsched.loggers import RunInfo, Terminal

RUN = RunInfo(Path(), {}, steps=100, steps_per_epoch=25, samples_per_step=64, units={"accuracy": "%"})


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_elsewhere_one_plain_line_per_evaluation() -> None:
    """From step 0 to 50 in 10 s: 5 updates a second, 320 samples, 10 s left."""
    out, clock = io.StringIO(), Clock()
    logger = Terminal(out, clock=clock)
    logger.open(RUN)
    logger.write({"step": 0, "epoch": 0.04, "train/loss": 0.5, "lr/default": 0.1})
    clock.now += 10
    logger.write({"step": 49, "epoch": 2.0, "train/loss": 0.25, "lr/default": 0.05, "lr/no_decay": 0.01})
    logger.write({"step": 50, "epoch": 2.0, "val/loss": 0.3, "val/accuracy": 0.875})
    logger.close({})
    assert out.getvalue() == (
        "step 50/100  epoch 2.00/4  0:10 left  loss 0.2500  val 0.3000 (87.50%)  lr 0.05  320 samples/s\n"
    )


def test_on_a_terminal_a_bar_drawn_at_most_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    out, clock = io.StringIO(), Clock()
    logger = Terminal(out, interactive=True, clock=clock)
    logger.open(RUN)
    threads = threading.active_count()
    drawn = []
    for step in range(100):
        logger.write({"step": step, "train/loss": 0.5, "lr/default": 0.1})
        drawn.append(out.getvalue().count("/100"))
        clock.now += 1 / 64
    assert threading.active_count() == threads, "no thread refreshes the bar"
    assert drawn[-1] - drawn[0] == 99 // 7, "each 7 steps of 1/64 s are the first to reach 0.1 s"
    logger.close({})
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).split("\r")[-1]
    assert "99/100  0:00 left  loss 0.5000  lr 0.1" in last
    assert "4,055 samples/s" in last, "99 updates of 64 samples in 100/64 s, the clock having moved once more"


def test_a_resumed_run_counts_its_own_time_only() -> None:
    """Resumed at 40: 10 updates in 2 s leave 50 updates, 10 s."""
    out, clock = io.StringIO(), Clock()
    logger = Terminal(out, clock=clock)
    logger.open(RunInfo(Path(), {}, 100, 25, 64, resumed_at=40))
    logger.write({"step": 40, "train/loss": 0.5})
    clock.now += 2
    logger.write({"step": 50, "val/loss": 0.3})
    logger.close({})
    assert out.getvalue() == "step 50/100  epoch 2.00/4  0:10 left  loss 0.5000 at 40  val 0.3000  320 samples/s\n"


def test_nothing_goes_to_stdout_and_stderr_is_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    for interactive in (True, False):
        logger = Terminal(interactive=interactive)
        logger.open(RUN)
        logger.write({"step": 25, "val/loss": 0.3})
        logger.close({}, "failed")
        assert (sys.stdout, sys.stderr) == before
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "step 25/100" in seen.err
