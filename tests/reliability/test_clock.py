"""Clocks may jump and file times may lie: the newest checkpoint is the one of the highest step, in real runs."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.cases import command
from tests.helpers.compare_runs import differences
from tests.helpers.death_log import lives
from tests.helpers.faults import kill_after_save, log_steps, shift_clock
from tests.helpers.runs import KILLED, folder, resume, run

DAY = 86_400.0
OPTIONS = (*command("plateau"), "checkpoint.every=4st", "checkpoint.keep=3")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    ended = run(place, *OPTIONS)
    assert ended.code == 0, ended.said
    return place


@pytest.mark.parametrize("jump", [-DAY, DAY], ids=["back", "ahead"])
def test_a_clock_that_jumps_and_file_times_in_reverse(tmp_path: Path, whole: Path, jump: float) -> None:
    """A day back or ahead between the two processes of a run, with the oldest checkpoint's files the newest."""
    ended = run(tmp_path, *OPTIONS, faults=[partial(kill_after_save, 12)])
    assert ended.code == KILLED, ended.said
    steps = sorted(folder(tmp_path).checkpoints.glob("step-*"))
    assert [int(path.name.removeprefix("step-")) for path in steps] == [0, 4, 8, 12]  # killed before it pruned
    now = time.time()
    for number, path in enumerate(steps):
        for file in (*path.iterdir(), path):
            os.utime(file, (now - number * DAY, now - number * DAY))
    witness = tmp_path / "witness"
    ended = resume(tmp_path, faults=[partial(shift_clock, jump), partial(log_steps, str(witness))])
    assert ended.code == 0, ended.said
    assert lives(witness)[0].start == 12
    assert differences(folder(whole), folder(tmp_path)) == []


def test_durations_do_not_follow_the_time_of_day(tmp_path: Path) -> None:
    """The clock goes back a day during the run."""
    ended = run(tmp_path, *OPTIONS, faults=[partial(shift_clock, -DAY, 9)])
    assert ended.code == 0, ended.said
    assert 0 < json.loads(folder(tmp_path).result.read_text("utf-8"))["train_seconds"] < 60
    for line in folder(tmp_path).timing.read_text("utf-8").splitlines():
        assert 0 <= json.loads(line).get("seconds", 0) < 60
