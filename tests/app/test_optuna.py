"""``hydra/sweeper=optuna`` under our launcher: a study that survives its process, and runs that do too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.app.conftest import TINY
from tests.app.test_deaths import stamps

optuna = pytest.importorskip("optuna", reason="no optuna: see Sweeps in the README")
pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="no hydra-optuna-sweeper: see Sweeps in the README")

TRIALS = 4
COMMAND = [
    *(sys.executable, "-W", "ignore", "-c", "from lrsched.cli import main; main()", "train", "-m"),
    *(*TINY, "name=sweep", "logger=none", "checkpoint.every=1ep", "hydra/sweeper=optuna"),
    *("hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study_name=rates", "hydra.sweeper.sampler.seed=1"),
    *(f"hydra.sweeper.n_trials={TRIALS}", "hydra.sweeper.n_jobs=2", "hydra.sweeper.direction=minimize"),
    "optimizer.lr=tag(log,interval(0.001,0.5))",
]


def finished() -> dict[float, float]:
    """The last val/loss of each finished run, by its rate."""
    found = {}
    for path in Path("outputs", "sweep").glob("*/result.json"):
        result = json.loads(path.read_text())
        if result["status"] == "finished":
            config = (path.parent / "config.yaml").read_text()
            rate = next(line.split()[1] for line in config.splitlines() if line.startswith("  lr:"))
            found[float(rate)] = result["metrics"]["val/loss"]
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # the sweeper asks optuna 5 by the names of optuna 2
def test_a_killed_study_goes_on_and_the_runs_of_a_seeded_sampler_are_not_made_again(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(COMMAND, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not stamps() and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    before = stamps()
    assert before
    ended = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    after = stamps()
    assert {name: after[name] for name in before} == before
    assert len(after) == TRIALS  # the sampler asked for the same rates, and found those runs done
    study = optuna.load_study(study_name="rates", storage="sqlite:///study.db")
    complete = {trial.params["optimizer.lr"]: trial.value for trial in study.trials if trial.state.name == "COMPLETE"}
    assert complete == pytest.approx(finished(), rel=1e-12)
