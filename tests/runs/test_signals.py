"""TERM, INT, USR1 and USR2 in every phase of a run: saved at rest, 128 + n, and the resumed run is the whole one."""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrsched.assembly import weights as build
from lrsched.checkpoint.store import Store
from lrsched.data.loader import InOrder, Loader
from lrsched.data.synthetic import Synthetic
from lrsched.errors import Stopped
from lrsched.signals import SIGNALS, StopFlag
from tests.helpers.cli import TINY, Ended

RUN = (
    *TINY,
    "trainer.log_every=1st",
    "trainer.epochs=3",  # 18 updates
    "checkpoint.every=5st",
    "model.dropout=0.2",
    "dataset.eval_batch_size=4",  # 3 batches in an evaluation of the validation part, 6 in that of the test part
    "logger=none",
)

# What is under way when the signal comes: where that is in the code.
PHASES: dict[str, tuple[Any, str]] = {
    "data": (Synthetic, "load"),
    "build": (build, "build_model"),
    "train": (Loader, "batch"),
    "evaluate": (InOrder, "__iter__"),
    "save": (Store, "save"),
}


def shoot(
    patch: pytest.MonkeyPatch,
    phase: str,
    number: int,
    hit: int,
    times: int = 1,
    target: Callable[[], int] = os.getpid,
) -> None:
    """Send this process, or another one, a signal in the ``hit``-th pass through a phase."""
    owner, name = PHASES[phase]
    original: Callable[..., Any] = getattr(owner, name)
    passed = 0

    def now() -> None:
        nonlocal passed
        passed += 1
        if passed == hit:
            for _ in range(times):
                os.kill(target(), number)

    def once(*arguments: Any, **keywords: Any) -> Any:
        now()
        return original(*arguments, **keywords)

    def each(*arguments: Any) -> Any:
        for item in original(*arguments):
            now()
            yield item

    patch.setattr(owner, name, each if name == "__iter__" else once)


@pytest.fixture
def whole(once) -> Ended:
    """The run that nobody disturbs."""
    ended = once(*RUN, "name=whole")
    assert ended.code == 0, ended.err
    return ended


def same(ended: Ended, cut: str) -> None:
    a, b = ended.result("whole"), ended.result(cut)
    for key in ("status", "step", "metrics", "best", "weights_sha256"):
        assert a[key] == b[key]
    rows = [Path("outputs", name, "metrics.jsonl").read_bytes() for name in ("whole", cut)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("phase", ["train", "evaluate", "save"])
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("hit", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
def test_a_signal_while_a_run_is_under_way_loses_no_step(
    run_cli, monkeypatch, whole, phase: str, number: int, hit: int
) -> None:
    with monkeypatch.context() as patch:
        shoot(patch, phase, number, hit)
        stopped = run_cli(*RUN, "name=cut")
    assert stopped.code == 128 + number
    result = stopped.result("cut")
    name = signal.Signals(number).name
    assert (result["status"], result["reason"]) == ("stopped", f"stopped by {name}")
    assert result["ended"] == "signal"
    assert f"stopped by {name} at step {result['step']}; go on with: lrsched train resume=outputs/cut" in stopped.err
    # Saved at the step where it was, and no update was made after the one that the signal fell into.
    assert Path("outputs", "cut", "checkpoints", f"step-{result['step']:010d}", "manifest.json").exists()
    expected = {"train": hit, "evaluate": 6 * (1 + (hit - 1) // 3), "save": 5 * (hit - 1)}[phase]
    assert result["step"] == expected
    resumed = run_cli("resume=outputs/cut")
    assert resumed.code == 0, resumed.err
    same(resumed, "cut")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_look_at_the_test_part_leaves_a_run_to_finish(run_cli, monkeypatch, whole, number: int) -> None:
    with monkeypatch.context() as patch:
        shoot(patch, "evaluate", number, hit=10)  # after 3 evaluations of 3 batches
        stopped = run_cli(*RUN, "name=cut")
    assert (stopped.code, stopped.result("cut")["status"]) == (128 + number, "stopped")
    resumed = run_cli("resume=outputs/cut")
    assert resumed.code == 0, resumed.err
    same(resumed, "cut")


@pytest.mark.parametrize("phase", ["data", "build"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_a_run_began_leaves_nothing(run_cli, monkeypatch, phase: str, number: int) -> None:
    with monkeypatch.context() as patch:
        shoot(patch, phase, number, hit=1)
        ended = run_cli(*RUN, "name=cut")
    assert ended.code == 128 + number
    assert f"stopped by {signal.Signals(number).name}" in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize("phase", ["data", "build"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_run_is_being_resumed_changes_nothing(
    run_cli, monkeypatch, whole, phase: str, number: int
) -> None:
    with monkeypatch.context() as patch:
        shoot(patch, "train", signal.SIGTERM, hit=7)
        assert run_cli(*RUN, "name=cut").code == 143
    with monkeypatch.context() as patch:
        shoot(patch, phase, number, hit=1)
        assert run_cli("resume=outputs/cut").code == 128 + number
    assert run_cli("resume=outputs/cut").code == 0
    same(whole, "cut")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("phase", "launcher"), [("train", "pool"), ("evaluate", "pool"), ("save", "pool"), ("train", "basic")]
)
def test_a_signal_ends_a_sweep_and_the_same_command_goes_on(
    run_cli, monkeypatch, phase: str, launcher: str, number: int
) -> None:
    sweep = ("-m", *RUN, "seed=0,1,2", "name=sweep", f"hydra/launcher={launcher}")
    parent = os.getpid()
    with monkeypatch.context() as patch:
        shoot(patch, phase, number, hit=2, target=lambda: parent)  # from within a job, to the process that forked it
        ended = run_cli(*sweep)
    assert ended.code == 128 + number, ended.err
    statuses = [job["status"] for job in json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]]
    assert "stopped" in statuses
    assert set(statuses) <= {"stopped", "finished"}
    assert "3 runs: " in ended.out  # what there is is told
    assert Path("outputs/sweep/sweep.csv").exists()
    assert run_cli(*sweep).code == 0
    again = [json.loads(path.read_text()) for path in Path("outputs", "sweep").glob("*/result.json")]
    assert [result["status"] for result in again] == ["finished"] * 3


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_a_signal_before_the_first_job_ends_the_sweep(run_cli, monkeypatch, launcher: str, number: int) -> None:
    from lrsched.compose.composer import Composer

    original, composed = Composer.resolved, 0

    def load(*arguments: Any, **keywords: Any) -> Any:
        nonlocal composed
        composed += 1
        if composed == 2:
            os.kill(os.getpid(), number)
        return original(*arguments, **keywords)

    sweep = ("-m", *RUN, "seed=0,1", "name=sweep", f"hydra/launcher={launcher}")
    with monkeypatch.context() as patch:
        patch.setattr(Composer, "resolved", load)
        ended = run_cli(*sweep)
    assert ended.code == 128 + number, ended.err
    assert run_cli(*sweep).code == 0


def test_a_second_signal_does_not_disturb_the_save(run_cli, monkeypatch, whole) -> None:
    with monkeypatch.context() as patch:
        shoot(patch, "save", signal.SIGTERM, hit=2, times=3)
        stopped = run_cli(*RUN, "name=cut")
    assert (stopped.code, stopped.result("cut")["step"]) == (143, 5)
    assert run_cli("resume=outputs/cut").code == 0
    same(whole, "cut")


def test_a_signal_after_the_end_changes_nothing(run_cli, monkeypatch) -> None:
    from lrsched.runs import execute as life

    original = life.summary

    def late(*arguments: Any, **keywords: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        original(*arguments, **keywords)

    monkeypatch.setattr(life, "summary", late)
    ended = run_cli(*RUN, "name=run")
    assert (ended.code, ended.result()["status"]) == (0, "finished"), ended.err
    assert "finished: all 18 steps are done" in ended.out


def test_the_handlers_of_the_caller_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopFlag() as stop, stop:
        assert all(signal.getsignal(number) == stop._raise_flag for number in SIGNALS)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_came_is_handed_on_to_the_handler_from_before() -> None:
    heard: list[int] = []
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in SIGNALS}
    try:
        with StopFlag() as stop, stop.patient():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR2)
            assert not heard
        stop.hand_on()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert heard == [signal.SIGTERM, signal.SIGUSR2]


def test_a_stop_travels_between_processes() -> None:
    there = pickle.loads(pickle.dumps(Stopped(signal.SIGTERM, "stopped by SIGTERM")))
    assert (str(there), there.exit_code) == ("stopped by SIGTERM", 143)
