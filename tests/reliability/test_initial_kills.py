"""Runs that start from the weights of another, or of a file, killed at random times and resumed."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

import lrsched
from tests.helpers.cases import command
from tests.helpers.compare_runs import differences
from tests.helpers.faults import stop_at
from tests.helpers.runs import KILLED, folder, resume, run
from tests.reliability.test_kills import INTERVAL, undisturbed_though_killed

pytestmark = pytest.mark.slow

LEAST_KILLS = 10


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    """Where the weights come from: the folder of a run, and a file."""
    pytest.importorskip("safetensors", reason="no safetensors: pip install 'hydra-lrsched[export]'")
    before = tmp_path / "before"
    ended = run(before, *command("constant"), "seed=7", "name=run")
    assert ended.code == 0, ended.said
    weights = tmp_path / "weights.safetensors"
    lrsched.load(before / "outputs" / "run").export(weights)
    return {"run": str(before / "outputs" / "run"), "file": str(weights)}


@pytest.mark.parametrize("scheduler", ["cosine", "plateau", "torch/OneCycleLR"])
@pytest.mark.parametrize("source", ["run", "file"])
def test_killed_at_random_it_is_the_undisturbed_run(
    tmp_path: Path, sources: dict[str, str], source: str, scheduler: str
) -> None:
    options = (*command(scheduler), f"init_from={sources[source]}", f"checkpoint.every={INTERVAL}st", "name=run")
    undisturbed_though_killed(tmp_path, options, LEAST_KILLS, f"{source}, {scheduler}")


def test_killed_before_its_first_save_it_starts_from_the_weights_again(tmp_path: Path, sources: dict[str, str]) -> None:
    options = (*command("cosine"), f"init_from={sources['run']}", "name=run")
    ended = run(tmp_path / "whole", *options)
    assert ended.code == 0, ended.said
    assert run(tmp_path / "struck", *options, faults=[partial(stop_at, 1, signal.SIGKILL)]).code == KILLED
    assert resume(tmp_path / "struck").code == 0
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "struck")) == []
    begun = folder(tmp_path / "whole").metrics.read_text().splitlines()[0]
    own = run(tmp_path / "own", *command("cosine"), "name=run")
    assert own.code == 0, own.said
    assert folder(tmp_path / "own").metrics.read_text().splitlines()[0] != begun  # else the weights changed nothing
