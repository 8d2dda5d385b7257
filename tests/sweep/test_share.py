"""Runs that share their first steps are the runs that were made each by itself: byte for byte."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from lrsched.checkpoint import fork_point as share
from lrsched.checkpoint.places import STATE
from lrsched.train.loop import Trainer
from tests.helpers.cli import TINY, Ended
from tests.helpers.fork_server import start_program, wait

# Dropout, augmentation, shuffling, and rows and evaluations that are out of step with each other and the forks.
RANDOM = (
    *TINY,
    "model.dropout=0.2",
    "dataset.augment={crop: 1, flip: true}",
    "trainer.log_every=7st",
    "trainer.evaluate_every=5st",
    "logger=[csv]",
)
WSD = ("scheduler=wsd", "trainer.steps=30,45", "scheduler.decay=20%,40%")  # forks at 18, 24, 27, 36
SHARED = 30 + 30 + 45 + 45 - 18 - 24 - 27


def runs(ended: Ended, name: str) -> dict[str, Path]:
    """The run folders of a sweep, by what they are called without its name."""
    return {path.name: path for path in (ended.cwd / "outputs" / name).iterdir() if (path / "config.yaml").exists()}


def record(ended: Ended, name: str) -> dict[str, Any]:
    return json.loads((ended.cwd / "outputs" / name / "sweep.json").read_text("utf-8"))


def steps(ended: Ended, name: str) -> tuple[int, int]:
    """Steps that were asked for, and steps that were trained."""
    return record(ended, name)["steps_asked"], record(ended, name)["steps_trained"]


def same(ended: Ended, one: str, other: str) -> None:
    """Every run of two sweeps came to the same, and left the same behind."""
    left, right = runs(ended, one), runs(ended, other)
    assert left.keys() == right.keys()
    for name in left:
        for file in ("metrics.jsonl", "metrics.csv"):
            assert (left[name] / file).read_bytes() == (right[name] / file).read_bytes(), name
        shown = [
            {file.name: file.read_bytes() for file in folder.glob("shown/*")} for folder in (left[name], right[name])
        ]
        assert shown[0] == shown[1], name
        results = [json.loads((folder / "result.json").read_text("utf-8")) for folder in (left[name], right[name])]
        for key in ("status", "step", "weights_sha256", "metrics", "best", "config_sha256"):
            assert results[0][key] == results[1][key], (name, key)


def test_horizons_and_cooldowns_off_one_trunk(run_cli) -> None:
    options = ("-m", *RANDOM, *WSD, "optimizer=adamw", "trainer.show_every=10st")  # the other tests have SGD
    shared = run_cli(*options, "name=shared")
    assert shared.code == 0, shared.err
    assert f"150 steps asked for, {SHARED} to train" in shared.err
    assert steps(shared, "shared") == (150, SHARED)
    assert not (shared.cwd / "outputs" / "shared" / share.FORKS).exists()
    alone = run_cli(*options, "name=alone", "sweep.share=false")
    assert alone.code == 0, alone.err
    assert steps(alone, "alone") == (150, 150)
    same(alone, "shared", "alone")
    assert all(len(list(folder.glob("shown/*-words.txt"))) > 2 for folder in runs(alone, "alone").values())


@pytest.mark.parametrize(
    ("often", "trained"),
    [
        # Nothing before the forks differs.
        pytest.param(("trainer.evaluate_every=100%", "trainer.log_every=7st"), SHARED, marks=pytest.mark.slow),
        pytest.param(("trainer.evaluate_every=100%", "trainer.log_every=100%"), SHARED, marks=pytest.mark.slow),
        # Evaluations at 15 or at 23 (half up): rows up to the 15th are common, and forks at 14 save 14 twice.
        (("trainer.evaluate_every=50%", "trainer.log_every=7st"), 150 - 18 - 14 - 27),
        # Rows at 3 or at 5: only runs of one length share.
        pytest.param(("trainer.evaluate_every=5st", "trainer.log_every=10%"), 150 - 18 - 27, marks=pytest.mark.slow),
    ],
    ids=["evaluated at the end", "logged at the end", "evaluated half-way", "logged often"],
)
def test_what_counts_is_what_happens_before_a_fork(run_cli, often: tuple[str, ...], trained: int) -> None:
    options = ("-m", *TINY, *WSD, *often, "logger=[csv]")
    shared = run_cli(*options, "name=shared")
    assert shared.code == 0, shared.err
    assert steps(shared, "shared") == (150, trained)
    alone = run_cli(*options, "name=alone", "sweep.share=false")
    assert alone.code == 0, alone.err
    same(alone, "shared", "alone")


def test_each_tree_says_what_tells_it_from_the_others(run_cli) -> None:
    two = ("optimizer.lr=0.1,0.2", "seed=0,1", "scheduler=wsd", "trainer.steps=30,45")
    ended = run_cli("-m", *TINY, "logger=none", *two, "name=many")
    assert ended.code == 0, ended.err
    roots = [line.partition(": ")[0] for line in ended.err.splitlines() if " 0 → 45" in line]
    assert roots == [f"optimizer.lr={lr} seed={seed}" for lr in ("0.1", "0.2") for seed in (0, 1)]
    assert "optimizer.lr=0.2 seed=1: 0 → 45  trainer.steps=45\n└── 24 → 30  trainer.steps=30\n" in ended.err
    alone = run_cli("-m", *TINY, "logger=none", *two[2:], "name=alone")
    assert "\n0 → 45  trainer.steps=45\n└── 24 → 30  trainer.steps=30\n" in alone.err  # there is no other


NATIVE = ("dataset.batch_size=64", "trainer.epochs=30")  # 2 updates in an epoch: 60 steps


@pytest.mark.parametrize(
    ("options", "trained"),
    [
        # Cut at 18 (30 %), at 20 (10 epochs of 2 steps) and at 30: the last rows in common are 17 and 19.
        (("scheduler=step,torch/StepLR,torch/MultiStepLR",), 180 - 17 - 19),
        (("scheduler=torch/StepLR", "scheduler.interval=step", "scheduler.step_size=20,31"), 120 - 19),
        # After three evaluations, at 15, or after four: update 15 is the first to differ.
        (
            (
                "scheduler=torch/StepLR",
                "scheduler.interval=evaluation",
                "scheduler.step_size=3,4",
                "trainer.evaluate_every=5st",
            ),
            120 - 14,
        ),
        # Up to the peak, at the last of 30 % of 60 steps, there is one way, and it moves the momentum too.
        (("scheduler=torch/OneCycleLR", "scheduler.three_phase=false,true"), 120 - 17),
        # It keeps its lowest rate in the optimizer's groups, and the two differ in nothing before they fall.
        (("scheduler=torch/OneCycleLR", "scheduler.final_div_factor=2,10000"), 120 - 17),
    ],
    ids=["both kinds", "after steps", "after evaluations", "with momentum", "with rates in the groups"],
)
def test_pytorchs_own_schedulers(run_cli, options: tuple[str, ...], trained: int) -> None:
    options = ("-m", *RANDOM, *NATIVE, *options)
    shared = run_cli(*options, "name=shared")
    assert shared.code == 0, shared.err
    assert steps(shared, "shared")[1] == trained
    alone = run_cli(*options, "name=alone", "sweep.share=false")
    assert alone.code == 0, alone.err
    same(alone, "shared", "alone")


@pytest.mark.parametrize(
    "options",
    [
        ("scheduler=plateau", "trainer.steps=30,45"),  # looks at the run
        ("scheduler=cosine", "trainer.steps=30,45"),  # another curve from the first step on
        ("scheduler=wsd", "scheduler.decay=20%,40%", "optimizer.lr=0.1,0.2", "trainer.steps=30"),
        ("scheduler=wsd", "trainer.steps=30,45", "trainer.evaluate_every=10%"),  # after 3 and after 5 steps
        ("scheduler=wsd", "trainer.steps=30,45", "trainer.on_nonfinite=rollback", "checkpoint.every=5st"),
    ],
    ids=["closed loop", "cosine", "rates", "timetable", "rollback"],
)
def test_what_is_shared_only_where_it_is_the_same(run_cli, options: tuple[str, ...]) -> None:
    ended = run_cli("-m", *TINY, *options, "name=sweep")
    assert ended.code == 0, ended.err
    asked, trained = steps(ended, "sweep")
    # Two cooldowns at each of two rates share 18 of 30 steps; the others nothing.
    assert trained == (120 - 18 - 18 if "optimizer.lr=0.1,0.2" in options else asked)


def die_at(monkeypatch: pytest.MonkeyPatch, of_steps: int, step: int) -> None:
    """Kill the job whose run has so many steps, in the middle of update ``step``."""
    original = Trainer._log

    def log(self: Trainer, s: int, norm: float | None) -> None:
        original(self, s, norm)
        if s == step and self.horizon.steps == of_steps:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Trainer, "_log", log)


def test_those_who_wait_for_a_run_that_died_are_planned_anew(run_cli, monkeypatch) -> None:
    options = ("-m", *RANDOM, "scheduler=wsd", "trainer.steps=25,30,45", "checkpoint.every=5st")  # forks at 20 and 24
    with monkeypatch.context() as patch:
        die_at(patch, of_steps=45, step=7)
        broken = run_cli(*options, "name=shared")
    assert broken.code == 1
    assert [job["status"] for job in record(broken, "shared")["jobs"]] == ["finished", "finished", "failed"]
    # The longest saved 5 steps; the next one is the trunk then, and the shortest goes on from its step 20.
    assert steps(broken, "shared") == (100, 5 + 30 + 5)
    assert "2 runs waited for it, replanned: waiting runs have 35 steps to train" in broken.err
    again = run_cli(*options, "name=shared")
    assert again.code == 0, again.err
    alone = run_cli(*options, "name=alone", "sweep.share=false")
    assert alone.code == 0, alone.err
    same(alone, "shared", "alone")


def test_a_state_that_is_damaged_is_not_used(run_cli, monkeypatch) -> None:
    options = ("-m", *RANDOM, "scheduler=wsd", "trainer.steps=30,45")
    is_there = share.Point.is_there

    def damaged(self: share.Point) -> bool:
        found = is_there(self)
        if found:
            content = bytearray((self.path / STATE).read_bytes())
            content[len(content) // 2] ^= 1
            (self.path / STATE).write_bytes(content)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(share.Point, "is_there", damaged)
        shared = run_cli(*options, "name=shared")
    assert shared.code == 0, shared.err
    assert steps(shared, "shared") == (75, 75)
    alone = run_cli(*options, "name=alone", "sweep.share=false")
    assert alone.code == 0
    same(alone, "shared", "alone")


def test_a_sweep_whose_parent_is_killed_goes_on_with_the_states_that_were_kept(run_cli, tmp_path: Path) -> None:
    options = ("-m", *RANDOM, *WSD, "sweep.jobs=1", "checkpoint.every=5st")
    sweep = start_program(["train", *options, "name=shared"], tmp_path, Path(os.devnull), Path(os.devnull))
    forks = tmp_path / "outputs" / "shared" / share.FORKS
    until = time.monotonic() + 60
    while not list(forks.glob("*/step-*24/manifest.json")) and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(sweep, signal.SIGKILL)
    assert wait(sweep, 60) == -signal.SIGKILL
    time.sleep(1)  # its job was told, and saves
    again = run_cli(*options, "name=shared")
    assert again.code == 0, again.err
    assert steps(again, "shared") == (150, SHARED)
    logs = [(run / "train.log").read_text() for run in runs(again, "shared").values()]
    resumed = [int(step) for log in logs for step in re.findall(r"resumed at step (\d+) of 45", log)]
    assert max(resumed) >= 20  # the trunk goes on from its checkpoint
    assert not forks.exists()
    alone = run_cli(*options, "name=alone", "sweep.share=false")
    assert alone.code == 0, alone.err
    same(alone, "shared", "alone")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_public_grid(run_cli, optimizer: str) -> None:
    """Trunk and cooldowns of Hägele et al., NeurIPS 2024, at a hundredth of the length; the time follows the steps."""
    grid = ("scheduler=wsd", "trainer.steps=150,250,350,500", "scheduler.decay=10%,20%,40%,60%,80%,90%")
    digits = ("dataset=digits", "model=cnn", "trainer.progress=false", "logger=[csv]", f"optimizer={optimizer}")
    options = ("-m", *digits, *grid, "model.dropout=0.2", "dataset.augment.crop=1")
    seconds = {}
    for name, trained in (("shared", 4200), ("alone", 7500)):
        ended = run_cli(*options, f"name={name}", f"sweep.share={str(name == 'shared').lower()}")
        assert ended.code == 0, ended.err
        assert steps(ended, name) == (7500, trained)
        seconds[name] = record(ended, name)["wall_seconds"]
        same(ended, name, "shared")
    print(f"{optimizer}: {seconds['alone']:.1f} s alone, {seconds['shared']:.1f} s shared")
    assert seconds["shared"] < seconds["alone"]
