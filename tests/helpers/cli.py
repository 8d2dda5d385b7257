"""The command line, called in this process: a fifth of a second instead of three."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import slurm

# A run that is over in a blink and yet has epochs, evaluations and checkpoints.
TINY = (
    "dataset=synthetic",
    "dataset.samples=120",  # 24 test, 10 validation, 86 training: 6 updates in an epoch
    "dataset.classes=4",
    "dataset.batch_size=16",
    "trainer.epochs=2",
    "trainer.progress=false",
)


@dataclass
class Ended:
    """How a command ended: its exit code, what it said, and the folder it worked in."""

    code: int
    out: str
    err: str
    cwd: Path

    def result(self, name: str = "run") -> dict[str, Any]:
        return json.loads((self.cwd / "outputs" / name / "result.json").read_text("utf-8"))

    def rows(self, name: str = "run") -> list[dict[str, Any]]:
        text = (self.cwd / "outputs" / name / "metrics.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def run_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """``lrsched("scheduler=cosine", …)`` is ``lrsched train scheduler=cosine …`` in an empty folder."""
    import torch

    from lrsched.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def call(*arguments: str, command: str = "train") -> Ended:
        monkeypatch.setattr(sys, "argv", ["lrsched", command, *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os.environ.pop("HYDRA_FULL_ERROR", None)
            torch.set_num_threads(1)
            torch._C._set_deterministic_algorithms(False, warn_only=False)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err, tmp_path)

    return call


@pytest.fixture(scope="session")
def _kept() -> dict[tuple[str, ...], tuple[Path, Ended]]:
    """The folder and the end of each command of :func:`once`."""
    return {}


@pytest.fixture
def once(
    run_cli: Callable[..., Ended],
    _kept: dict[tuple[str, ...], tuple[Path, Ended]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Ended]:
    """``run_cli`` for what several tests begin with and nobody disturbs: made once in a process, then copied."""

    def call(*arguments: str) -> Ended:
        here = Path.cwd()
        if arguments not in _kept:
            place = tmp_path_factory.mktemp("once")
            monkeypatch.chdir(place)
            _kept[arguments] = place, run_cli(*arguments)
            monkeypatch.chdir(here)
        place, ended = _kept[arguments]
        shutil.copytree(place, here, dirs_exist_ok=True)
        return replace(ended, cwd=here)

    return call


@pytest.fixture(scope="session")
def _cluster() -> Iterator[dict[str, str]]:
    if missing := slurm.missing():
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing)}")
    with slurm.cluster(cores=4) as variables:
        yield variables


@pytest.fixture
def a_cluster(_cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A real Slurm of one node, which this process and those that it starts find."""
    for name, value in _cluster.items():
        monkeypatch.setenv(name, value)
