"""Users' problems, from a wheel in an empty folder: trained, killed, resumed to the same bytes, swept and reported."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lrsched.records import RunFolder
from tests.helpers.compare_runs import differences
from tests.test_wheel import installed, wheel  # noqa: F401  (fixtures)
from tests.users.pictures import PICTURES
from tests.users.problems import PROBLEMS, Problem

ALL = {**PROBLEMS, **PICTURES}

LENGTH = ("trainer.epochs=12", "trainer.log_every=1st", "checkpoint.every=1ep", "threads=1", "trainer.progress=false")


class Person:
    """Someone who types commands in a folder.

    Args:
        commands: the folder of the installed commands.
        place: where the person works.
        problem: theirs.
    """

    def __init__(self, commands: Path, place: Path, problem: Problem) -> None:
        self._commands, self.place, self._problem = commands, place, problem
        known = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self._environment = {**known, "LRSCHED_TRUST": problem.trust, "LRSCHED_CACHE": str(place / "cache")}
        problem.write(place)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Type a command and look at it while it runs."""
        pipe = subprocess.PIPE
        command = (self._commands / words[0], *words[1:])
        return subprocess.Popen(command, cwd=self.place, env=self._environment, stdout=pipe, stderr=pipe, text=True)

    def call(self, *words: str) -> str:
        """Type a command, and read what it says."""
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, f"{words}: {out}{err}"
        return out

    def train(self, *words: str) -> str:
        """Train the problem."""
        return self.call(*self._problem.train, *self._problem.words, *LENGTH, *words)

    def train_until_killed(self, name: str) -> None:
        """Train the problem until there is a checkpoint of some updates, and kill the process without a warning."""
        process = self.start(*self._problem.train, *self._problem.words, *LENGTH, f"name={name}")
        checkpoints = self.run(name).checkpoints
        while process.poll() is None and len(list(checkpoints.glob("step-*/manifest.json"))) < 2:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run had ended before it was killed"

    def sweep(self) -> list[str]:
        """Train the problem with three schedules; the folders of what was made."""
        if self._problem.script:
            self.train("schedules=constant,cosine,torch/StepLR")
            return [f"outputs/{name}" for name in ("constant", "cosine", "torch-StepLR")]
        self.train("-m", "scheduler=constant,cosine,torch/StepLR", "seed=0,1", "name=sweep")
        return ["outputs/sweep"]

    def run(self, name: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.place / "outputs" / name)


@pytest.fixture
def person(installed: Path, tmp_path: Path) -> Callable[[str], Person]:  # noqa: F811
    return lambda name: Person(installed, tmp_path, ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_problem_of_a_user(person: Callable[[str], Person], name: str) -> None:
    for package in ALL[name].needs:
        pytest.importorskip(package, reason=f"no {package}: pip install 'hydra-lrsched[hf,timm]'")
    user = person(name)
    user.train("name=whole")
    user.train_until_killed("killed")
    user.call(*ALL[name].train, "resume=outputs/killed")
    assert differences(user.run("whole"), user.run("killed")) == []
    own, swept = ALL[name].metric, user.sweep()
    told = user.call("lrsched", "report", *swept, "--metric", own)
    for word in (own, "constant", "cosine", "StepLR"):
        assert word in told
