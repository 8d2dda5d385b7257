"""The keys of ``sweep``, and sweeps that are hardly any."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lrsched.signals import StopFlag
from lrsched.sweep import processes
from lrsched.sweep.processes import End, Pool, Work
from lrsched.train.loop import Trainer
from tests.helpers.cli import TINY, Ended

SWEEP = ("-m", *TINY, "name=sweep", "logger=none", "checkpoint.every=1ep")


def jobs(ended: Ended) -> list[tuple[str, str]]:
    """Status and reason of each job of the sweep."""
    entries = json.loads((ended.cwd / "outputs" / "sweep" / "sweep.json").read_text())["jobs"]
    return [(entry["status"], entry["reason"]) for entry in entries]


def values(ended: Ended, key: str) -> list[str]:
    """The value of a key in each job."""
    entries = json.loads((ended.cwd / "outputs" / "sweep" / "sweep.json").read_text())["jobs"]
    return [item.partition("=")[2] for entry in entries for item in entry["overrides"] if item.startswith(f"{key}=")]


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_a_bad_config_among_good_ones_is_failed_and_the_others_run(run_cli, launcher: str) -> None:
    ended = run_cli(*SWEEP, "optimizer.lr=0.1,-1", f"hydra/launcher={launcher}")
    assert ended.code == 1
    (good, _), (bad, reason) = jobs(ended)
    assert (good, bad) == ("finished", "failed")
    assert reason.startswith("optimizer.lr=-1: must be a finite number, at least 0")
    assert ended.err.count(reason) == 1
    assert len([path for path in Path("outputs/sweep").iterdir() if path.is_dir()]) == 1


def test_what_only_a_job_can_see_is_bad_too_and_alone_it_is_2(run_cli) -> None:
    ended = run_cli(*SWEEP, "dataset.batch_size=16", "scheduler.warmup=900st,901st")
    assert ended.code == 2
    assert [status for status, _ in jobs(ended)] == ["failed", "failed"]
    assert all("scheduler.warmup" in reason for _, reason in jobs(ended))
    assert not [path for path in Path("outputs/sweep").iterdir() if path.is_dir()]


@pytest.mark.parametrize("how", ["sweep.jobs=1", "hydra/launcher=basic"])
def test_fail_fast_begins_no_other(run_cli, how: str) -> None:
    diverging = ("optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=1e30,0.1,0.2")
    for _ in range(2):  # the same command tries again what failed, and only that
        ended = run_cli(*SWEEP, *diverging, how, "sweep.fail_fast=true")
        assert ended.code == 1
        assert [status for status, _ in jobs(ended)] == ["failed", "stopped", "stopped"]
        assert [reason for _, reason in jobs(ended)[1:]] == ["was not begun: sweep.fail_fast"] * 2
        assert jobs(ended)[0][1].startswith("NotFinite")
    again = run_cli(*SWEEP, *diverging, how)  # and without it they are made up for
    assert [status for status, _ in jobs(again)] == ["failed", "finished", "finished"]


def test_zip_pairs_and_says_what_does_not_fit(run_cli) -> None:
    ended = run_cli(*SWEEP, "optimizer.lr=0.1,0.2", "seed=0,1", "sweep.zip=[optimizer.lr,seed]")
    assert ended.code == 0, ended.err
    assert list(zip(values(ended, "optimizer.lr"), values(ended, "seed"), strict=True)) == [("0.1", "0"), ("0.2", "1")]
    for given, told in {"[optimizer.lr,sed]": "did you mean 'seed'", "5": "must be true, false or a list"}.items():
        refused = run_cli(*SWEEP, "optimizer.lr=0.1,0.2", "seed=0,1", f"sweep.zip={given}")
        assert refused.code == 2
        assert told in refused.err


@pytest.mark.parametrize("swept", [("seed=3",), ()])
def test_a_sweep_of_one_run(run_cli, swept: tuple[str, ...]) -> None:
    ended = run_cli(*SWEEP, *swept)
    assert ended.code == 0, ended.err
    assert jobs(ended) == [("finished", "")]
    assert jobs(run_cli(*SWEEP, *swept)) == [("skipped", "")]


def test_no_override_is_too_long_for_the_file_system(run_cli) -> None:
    deep = f"[{','.join(['4'] * 20)}]"
    options = [f"+optimizer.groups={{g: {{params: head.*, lr: 0.{i}}}}}" for i in range(10, 40)]  # the last one counts
    ended = run_cli(*SWEEP, *options, f"model.hidden=[4],{deep}", "trainer.limit_batches=1")
    assert ended.code == 0, ended.err
    assert sum(map(len, options)) > 1000  # where a file name has at most 255 characters
    assert all(len(path.name) <= 100 for path in Path("outputs/sweep").iterdir())


def test_the_end_says_that_the_same_command_goes_on_with_what_is_left(run_cli) -> None:
    hurt = ("-m", *TINY, "logger=none", "optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=0.1,1e30")
    named = run_cli(*hurt, "name=sweep")
    assert named.err.endswith("lrsched: 1 of 2 runs did not finish; the same command goes on with what is left\n")
    stamped = run_cli(*hurt)
    (name,) = [path.name for path in Path("outputs").iterdir() if path.name != "sweep"]
    assert stamped.err.endswith(f"; the same command with name={name} goes on with what is left\n")
    invalid = run_cli(*SWEEP, "optimizer.lr=0.1,-1")
    assert invalid.err.endswith("lrsched: 1 of 2 runs did not finish\n")  # nor would it


def test_a_sweep_of_one_that_does_not_finish_is_told_in_the_singular(run_cli) -> None:
    ended = run_cli(
        "-m", *TINY, "name=one", "logger=none", "optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=1e30"
    )
    assert "lrsched: 1 run in outputs/one\n" in ended.err
    assert "lrsched: 1 of 1 run did not finish; " in ended.err


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_a_sweep_that_is_stopped_says_how_to_go_on_and_counts_no_stopped_run(run_cli, monkeypatch, launcher) -> None:
    parent = os.getpid()
    original = Trainer._log

    def log(self: Trainer, s: int, norm: float | None) -> None:
        original(self, s, norm)
        if s == 3:
            os.kill(parent, signal.SIGINT)
            time.sleep(0.2)  # until it is handed on

    monkeypatch.setattr(Trainer, "_log", log)
    ended = run_cli(*SWEEP, "seed=0,1,2", "sweep.jobs=1", "trainer.log_every=1st", f"hydra/launcher={launcher}")
    assert ended.code == 130
    assert ended.err.count("; the same command goes on with what is left\n") == 1
    assert ended.err.endswith("; the same command goes on with what is left\n")
    assert "[1/3]" not in ended.err


@pytest.mark.parametrize("slots", [1, 2])
def test_no_more_jobs_at_a_time_than_slots(tmp_path: Path, slots: int) -> None:
    at_once = []

    def job(number: int) -> int:
        time.sleep(0.05)
        return number

    ends: dict[int, End] = {}
    jobs = [Work(lambda slot, i=i: job(i), tmp_path / f"{i}.log") for i in range(5)]
    look = lambda running: at_once.append(len(running))  # noqa: E731
    Pool(slots).run(jobs, StopFlag(), lambda index, end: not ends.update({index: end}), look)
    assert max(at_once) == slots
    assert {index: end.code for index, end in ends.items()} == {i: i for i in range(5)}


def test_a_slot_that_becomes_free_is_taken_at_once(tmp_path: Path, monkeypatch) -> None:
    happened = list[str]()
    sleep = time.sleep
    monkeypatch.setattr(processes.time, "sleep", lambda seconds: (happened.append("slept"), sleep(seconds)))

    def choose(waiting: Sequence[int]) -> int:
        happened.append("begun")
        return waiting[0]

    jobs = [Work(lambda slot: 0, tmp_path / f"{i}.log") for i in range(3)]
    Pool(1).run(jobs, StopFlag(), lambda index, end: not happened.append("ended"), choose=choose)
    apart = [happened[place + 1 : place + 2] for place, what in enumerate(happened) if what == "ended"]
    assert apart == [["begun"], ["begun"], []]


def test_a_job_may_wait_for_another(tmp_path: Path) -> None:
    order: list[int] = []
    done = tmp_path / "done"

    def first() -> int:
        time.sleep(0.1)
        done.touch()
        return 0

    def choose(waiting: Sequence[int]) -> int | None:
        return next((number for number in waiting if number == 1 or done.exists()), None)

    jobs = [Work(lambda slot: 0, tmp_path / "0.log"), Work(lambda slot: first(), tmp_path / "1.log")]
    Pool(2).run(jobs, StopFlag(), lambda index, end: not order.append(index), choose=choose)
    assert order == [1, 0]
    assert os.path.exists(tmp_path / "1.log")
