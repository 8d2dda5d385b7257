"""Runs killed by SIGKILL at random times, again and again, end like undisturbed runs."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.cases import command
from tests.helpers.compare_runs import differences
from tests.helpers.death_log import check_debts, lives
from tests.helpers.faults import log_steps
from tests.helpers.runs import KILLED, Running, folder, run

INTERVAL = 3
SCHEDULERS = ["cosine", "plateau", "torch/OneCycleLR", "greedy", "torch/ReduceLROnPlateau", "torch/SequentialLR"]
MOST_KILLS = 8  # of one run; then it is left alone


def case(number: int) -> tuple[str, ...]:
    """Schedulers, accumulation and the number of kept checkpoints rotate."""
    options = command(SCHEDULERS[number % len(SCHEDULERS)], accumulate=1 + number % 2)
    return (*options, f"checkpoint.every={INTERVAL}st", f"checkpoint.keep={1 + number % 3}")


def finish_under_kills(place: Path, options: tuple[str, ...], seconds: float, random_: random.Random) -> Counter[str]:
    """Start, kill, resume, kill, … until the run finishes; ``seconds``: the duration of an undisturbed run."""
    count: Counter[str] = Counter()
    witness = place / "witness"
    files = folder(place)
    while True:
        begun = files.config.exists()
        count["before the first checkpoint"] += begun and not list(files.checkpoints.glob("*/manifest.json"))
        overrides = ("resume=outputs/run",) if begun else options
        running = Running(place, overrides, [partial(log_steps, str(witness))])
        ended = running.kill_after(random_.uniform(0, 0.9 * seconds)) if count["kills"] < MOST_KILLS else running.end()
        count["resumes"] += begun
        if ended.code != KILLED:
            assert ended.code == 0, ended.said
            break
        count["kills"] += 1
    check_debts(lives(witness), INTERVAL)
    count["inside a save"] = sum(life.died_saving for life in lives(witness))
    assert not list(files.path.rglob("*.tmp"))
    return count


def undisturbed_though_killed(tmp_path: Path, options: tuple[str, ...], kills: int, seed: str) -> None:
    """Make a run, then kill and resume others like it until the number of kills is reached: each ends as it did."""
    began = time.monotonic()
    ended = run(tmp_path / "whole", *options)
    assert ended.code == 0, ended.said
    seconds = time.monotonic() - began
    random_, count = random.Random(seed), Counter[str]()
    while count["kills"] < kills:
        count["runs"] += 1
        struck = tmp_path / f"struck-{count['runs']}"
        count += finish_under_kills(struck, options, seconds, random_)
        assert differences(folder(tmp_path / "whole"), folder(struck)) == []
    print(f"{seed}: {dict(count)}")


def strike(tmp_path: Path, kills: int, seed: int) -> Counter[str]:
    """Kill runs at random until the number of kills is reached; compare each with its undisturbed twin."""
    random_ = random.Random(seed)
    total: Counter[str] = Counter()
    twins: dict[int, tuple[Path, float]] = {}
    turns = 6  # schedulers, accumulation and keep: all of them repeat after six
    while total["kills"] < kills:
        number = total["runs"]
        options = case(number)
        if number % turns not in twins:
            place = tmp_path / f"whole-{number}"
            began = time.monotonic()
            ended = run(place, *options)
            assert ended.code == 0, ended.said
            twins[number % turns] = place, time.monotonic() - began
        whole, seconds = twins[number % turns]
        place = tmp_path / f"struck-{number}"
        total += finish_under_kills(place, options, seconds, random_)
        total["mismatches"] += len(differences(folder(whole), folder(place)))
        total["runs"] += 1
        shutil.rmtree(place)
    print(f"random kills: {dict(total)}")
    return total


def test_forty_kills(tmp_path: Path) -> None:
    count = strike(tmp_path, kills=40, seed=4)
    assert count["mismatches"] == 0
    assert count["resumes"] > 0


@pytest.mark.slow
def test_five_hundred_kills(tmp_path: Path) -> None:
    count = strike(tmp_path, kills=500, seed=468)
    assert count["mismatches"] == 0
    assert count["inside a save"] > 0
