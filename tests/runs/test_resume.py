"""A run that is stopped and resumed is the run that was never stopped: byte for byte."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from lrsched.train.loop import Trainer
from tests.helpers.cli import TINY

OPTIONS = (
    *TINY,
    "trainer.log_every=1st",
    "trainer.epochs=4",
    "checkpoint.every=5st",  # inside an epoch of 6 updates
    "model.dropout=0.2",
    "dataset.augment={crop: 1, flip: true}",
    "logger=[csv]",
)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGTERM) -> None:
    """Send this process a signal in the middle of update ``step``."""
    original = Trainer._log

    def log(self: Trainer, s: int, norm: float | None) -> None:
        original(self, s, norm)
        if s == step:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "_log", log)


def same(a: Path, b: Path) -> None:
    assert (a / "metrics.jsonl").read_bytes() == (b / "metrics.jsonl").read_bytes()
    assert (a / "metrics.csv").read_bytes() == (b / "metrics.csv").read_bytes()


SCHEDULERS = [
    "cosine",
    "onecycle",
    "plateau",
    "torch/OneCycleLR",
    "torch/StepLR",
    "torch/SequentialLR",
    "torch/ReduceLROnPlateau",
    "torch/LambdaLR",
]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_stopped_by_a_signal_and_resumed(run_cli, monkeypatch, scheduler: str) -> None:
    options = (*OPTIONS, f"scheduler={scheduler}")
    whole = run_cli(*options, "name=whole")
    assert whole.code == 0, whole.err
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        stopped = run_cli(*options, "name=cut")
    assert stopped.code == 128 + signal.SIGTERM
    result = stopped.result("cut")
    assert (result["status"], result["step"]) == ("stopped", 8)
    assert "lrsched train resume=outputs/cut" in stopped.err

    resumed = run_cli("resume=outputs/cut")
    assert resumed.code == 0, resumed.err
    same(whole.cwd / "outputs" / "whole", whole.cwd / "outputs" / "cut")
    assert resumed.result("cut")["weights_sha256"] == whole.result("whole")["weights_sha256"]
    assert resumed.result("cut")["metrics"] == whole.result("whole")["metrics"]
    assert resumed.result("cut")["best"] == whole.result("whole")["best"]


@pytest.mark.parametrize("lost", [1, 2])
def test_resumed_from_an_older_checkpoint_when_newer_ones_are_damaged(run_cli, lost: int) -> None:
    options = (*OPTIONS, "checkpoint.keep=4")
    whole = run_cli(*options, "name=whole")
    folder = whole.cwd / "outputs" / "whole"
    shutil.copytree(folder, folder.with_name("cut"))
    cut = folder.with_name("cut")
    (cut / "result.json").unlink()
    for path in sorted((cut / "checkpoints").iterdir())[-lost:]:
        state = path / "state.pt"
        state.write_bytes(state.read_bytes()[:-7] + b"damaged")
    resumed = run_cli("resume=outputs/cut")
    assert resumed.code == 0, resumed.err
    assert resumed.err.count("damaged") == lost
    log = (cut / "train.log").read_text("utf-8")
    told = [line.removeprefix("lrsched: ") for line in resumed.err.splitlines() if "passed over: " in line]
    assert len(told) == lost
    assert all(log.count(line) == 1 for line in told)
    same(folder, cut)
    assert resumed.result("cut")["weights_sha256"] == whole.result("whole")["weights_sha256"]


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_a_sweep_says_which_checkpoint_one_of_its_runs_passed_over(run_cli, launcher: str) -> None:
    sweep = ("-m", *OPTIONS, "name=sweep", "seed=0,1", f"hydra/launcher={launcher}")
    assert run_cli(*sweep, "sweep.until=10").code == 0
    hurt = next(Path("outputs/sweep").glob("seed-1*"))
    os.truncate(hurt / "checkpoints/step-0000000010/state.pt", 100)
    again = run_cli(*sweep)
    assert again.code == 0, again.err
    (told,) = [line for line in again.err.splitlines() if "passed over" in line]
    assert told.startswith(f"lrsched: [{hurt.name}] passed over: {hurt}/checkpoints/step-0000000010")
    assert told.endswith("going on from step 5")
    assert told.partition("] ")[2] in (hurt / "train.log").read_text("utf-8")


def test_without_any_valid_checkpoint_it_ends_with_4(run_cli) -> None:
    assert run_cli(*TINY, "name=run").code == 0
    folder = Path("outputs/run")
    (folder / "result.json").unlink()
    shutil.rmtree(folder / "checkpoints")
    ended = run_cli("resume=outputs/run")
    assert ended.code == 4
    assert "no valid checkpoint in outputs/run/checkpoints" in ended.err


def test_a_run_that_died_before_its_first_checkpoint_begins_at_step_0(run_cli) -> None:
    whole = run_cli(*TINY, "name=whole")
    folder = whole.cwd / "outputs" / "whole"
    cut = folder.with_name("cut")
    (cut / "checkpoints" / "step-0000000000").mkdir(parents=True)  # of a save that was not committed
    (cut / "checkpoints" / "step-0000000000" / "state.pt").write_bytes(b"half")
    shutil.copy(folder / "config.yaml", cut)
    (cut / "metrics.jsonl").touch()
    resumed = run_cli("resume=outputs/cut")
    assert resumed.code == 0, resumed.err
    assert "outputs/cut was ended before its first checkpoint, and lost nothing: it begins at step 0" in resumed.err
    assert (cut / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    assert resumed.result("cut")["weights_sha256"] == whole.result("whole")["weights_sha256"]


def test_a_killed_run_says_from_which_step_it_goes_on(run_cli, monkeypatch) -> None:
    assert run_cli(*TINY, "checkpoint.every=5st", "name=run").code == 0
    folder = Path("outputs/run")
    rows = (folder / "metrics.jsonl").read_bytes()
    (folder / "result.json").unlink()
    shutil.rmtree(folder / "checkpoints" / "step-0000000012")  # as if killed after its last row, before its last save
    killed = run_cli("resume=outputs/run")
    assert killed.err == "lrsched: going on from step 10, the last one saved; rows after it are made again\n"
    assert (folder / "metrics.jsonl").read_bytes() == rows
    stop_at(monkeypatch, 4)
    assert run_cli(*TINY, "name=stopped", "trainer.log_every=1st").code == 143
    assert run_cli("resume=outputs/stopped").err == ""  # it saved, and lost nothing


def test_a_finished_run_is_left_alone(run_cli) -> None:
    assert run_cli(*TINY, "name=run").code == 0
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    ended = run_cli("resume=outputs/run")
    assert ended.code == 0
    assert "outputs/run is finished: all 12 steps are done; nothing to do" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=0.5", "optimizer.lr=0.5: the run was started with 0.1"),
        ("scheduler=step", "scheduler._target_=lrsched.schedules.Step: the run was started with"),
        ("seed=1", "seed=1: the run was started with 0"),
        ("dataset.batch_size=8", "dataset.batch_size=8: the run was started with 16"),
    ],
)
def test_an_override_that_changes_the_run_is_refused_by_name(run_cli, override: str, message: str) -> None:
    assert run_cli(*TINY, "name=run").code == 0
    ended = run_cli("resume=outputs/run", override)
    assert ended.code == 2
    assert message in ended.err


def test_an_override_that_says_what_the_run_has_is_taken(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 20)
        assert run_cli(*OPTIONS, "name=run", "optimizer.lr=0.05").code == 143
    ended = run_cli("resume=outputs/run", "optimizer.lr=0.05", "checkpoint.keep=3", "trainer.progress=false")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_other_signals_stop_with_their_own_number(run_cli, monkeypatch, number: int) -> None:
    stop_at(monkeypatch, 3, number)
    ended = run_cli(*OPTIONS, "name=run")
    assert (ended.code, ended.result()["step"]) == (128 + number, 4)


@pytest.mark.parametrize("content", ["", "{", "[1]", "xx"])
def test_a_damaged_result_is_none(run_cli, monkeypatch, content: str) -> None:
    """The checkpoints are the truth: what result.json says follows from them."""
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*OPTIONS, "name=run").code == 143
    Path("outputs/run/result.json").write_text(content)
    ended = run_cli("resume=outputs/run")
    assert ended.code == 0, ended.err
    assert ended.result()["status"] == "finished"


def test_a_lost_commit_mark_is_said(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*OPTIONS, "name=run").code == 143
    Path("outputs/run/checkpoints/step-0000000008/manifest.json").unlink()
    ended = run_cli("resume=outputs/run")
    assert ended.code == 0, ended.err
    assert "step-0000000008 has no manifest: its save was not finished; going on from step 5" in ended.err


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("outputs/firs", "there is no such folder; did you mean outputs/first?"),
        ("first", "there is no such folder; did you mean outputs/first?"),
        ("outputs/first/checkpoints", "there is no run in this folder; its run is outputs/first"),
        ("outputs/first/config.yaml", "is a file, not the folder of a run; its run is outputs/first"),
    ],
)
def test_a_path_that_is_nearly_right_is_put_right(run_cli, path: str, message: str) -> None:
    assert run_cli(*TINY, "name=first").code == 0
    ended = run_cli(f"resume={path}")
    assert ended.code == 2
    assert f"resume={path}: {message}" in ended.err
