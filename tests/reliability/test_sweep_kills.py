"""SIGKILL of a sweep's parent at random times: the same command finishes it, and touches nothing that was finished."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from lrsched.records import RunFolder
from tests.helpers import fork_server as forks
from tests.helpers.cases import OPTIONS
from tests.helpers.compare_runs import differences
from tests.helpers.runs import KILLED, LONGEST

SWEEP = ("-m", *OPTIONS, "name=sweep", "sweep.jobs=2")
PAIR = (*SWEEP, "scheduler=plateau", "seed=0,1")
SIX = (*SWEEP, "scheduler=cosine,plateau", "seed=0,1,2")


def sweep(command: Sequence[str], place: Path, seconds: float = LONGEST) -> int:
    """The sweep in a process of its own, killed if it has not ended by then; its exit code."""
    place.mkdir(exist_ok=True)
    pid = forks.start(place / "said", partial(_work, command, place))
    code = forks.wait(pid, seconds)
    if code is None:
        os.kill(pid, signal.SIGKILL)
        code = forks.wait(pid, LONGEST)
    assert code is not None
    return code


def _work(command: Sequence[str], place: Path) -> None:
    from lrsched.cli.main import main

    os.chdir(place)
    sys.argv = ["lrsched", "train", *command]
    main()


def folders(place: Path) -> dict[str, RunFolder]:
    """The run folders of a sweep, by run id."""
    return {path.name: RunFolder(path) for path in (place / "outputs" / "sweep").glob("*") if path.is_dir()}


def results(place: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of the results of the runs that are finished."""
    found = {}
    for name, folder in folders(place).items():
        if (folder.read_result() or {}).get("status") == "finished":
            stat = folder.result.stat()
            found[name] = stat.st_ino, stat.st_mtime_ns
    return found


def strike(command: Sequence[str], tmp_path: Path, kills: int, seed: int) -> None:
    """Kill sweeps at random times until the number of kills is reached; the same command finishes each."""
    whole = tmp_path / "whole"
    assert sweep(command, whole) == 0  # the server that forks it is up now
    began = time.monotonic()
    assert sweep(command, tmp_path / "timed") == 0
    seconds = time.monotonic() - began
    random_ = random.Random(seed)
    struck = 0
    while struck < kills:
        place = tmp_path / f"struck-{struck}"
        if sweep(command, place, random_.uniform(0, seconds)) != KILLED:
            continue
        struck += 1
        before = results(place)  # a run may finish while its process is being stopped
        code = sweep(command, place)
        assert code == 0, (place / "said").read_text()
        after = results(place)
        assert {name: after[name] for name in before} == before
        assert sorted(after) == sorted(folders(whole))
        for name, folder in folders(place).items():
            assert differences(folder, folders(whole)[name]) == []
            assert not list(folder.path.rglob("*.tmp"))


def test_a_sweep_whose_parent_is_killed_three_times(tmp_path: Path) -> None:
    strike(PAIR, tmp_path, kills=3, seed=5)


@pytest.mark.slow
def test_a_sweep_whose_parent_is_killed_twenty_times(tmp_path: Path) -> None:
    strike(SIX, tmp_path, kills=20, seed=512)
