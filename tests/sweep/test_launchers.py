"""Launchers of others: the same run ids, and with the same command skip, resume and retry, whatever a job dies of.

Needs hydra-joblib-launcher, hydra-submitit-launcher, hydra-ray-launcher: the extra ``sweep``; and Slurm's own programs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from lrsched.checkpoint.lock import RunLock
from tests.helpers.cli import TINY
from tests.sweep.test_deaths import REASONS, TRACEBACKS, stamps, traceback_of

ROOT = Path(__file__).resolve().parents[2]
LAUNCHERS = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", ["hydra/launcher=submitit_local"]),
    "submitit_slurm": (
        "hydra_plugins.hydra_submitit_launcher",
        ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=all", "hydra.launcher.cpus_per_task=1"],
    ),
    "ray": ("hydra_plugins.hydra_ray_launcher", ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"]),
}
DEATHS = ["raise", "exit3", "leave", "kill", "memory", "hang"]


def installed(name: str) -> None:
    """Skip where the launcher's package is missing."""
    module = LAUNCHERS[name][0]
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{module} is not installed: pip install 'hydra-lrsched[sweep]', for ray [ray]")


def sweep(place: Path, *overrides: str, deaths: list[str] = DEATHS) -> subprocess.CompletedProcess[str]:
    """A sweep of each death and of a job that lives before each, in processes of its own."""
    fates = [fate for death in deaths for fate in ("none", death)]
    command = [
        *(sys.executable, "-c", "from lrsched.cli.main import main; main()", "train", "-m"),
        *(*TINY, "name=sweep", "logger=none", "checkpoint.every=1ep"),
        "model._target_=tests.helpers.dying_model.Mortal",
        f"+model.death={','.join(fates)}",
        f"seed={','.join(map(str, range(len(fates))))}",
        *("sweep.zip=true", "sweep.timeout=10", *overrides),
    ]
    environment = {**os.environ, "LRSCHED_TRUST": "tests.helpers.dying_model", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def jobs(place: Path) -> list[dict[str, str]]:
    return json.loads((place / "outputs" / "sweep" / "sweep.json").read_text())["jobs"]


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_six_of_twelve_die_under_the_launchers_of_others(tmp_path: Path, monkeypatch, request, name: str) -> None:
    installed(name)
    if name == "submitit_slurm":
        request.getfixturevalue("a_cluster")
    monkeypatch.chdir(tmp_path)
    launcher = LAUNCHERS[name][1]
    ended = sweep(tmp_path, *launcher)
    assert ended.returncode == 1, ended.stderr
    assert "6 of 12 runs did not finish" in ended.stderr
    entries = jobs(tmp_path)
    assert [job["status"] for job in entries] == ["finished", "failed"] * 6
    for death, job in zip(DEATHS, entries[1::2], strict=True):
        assert REASONS[death] in job["reason"]
        assert job["reason"].partition(";")[0][:80] in ended.stderr + ended.stdout  # the report shows the first of it
        if death in TRACEBACKS:
            assert TRACEBACKS[death] in traceback_of(Path("outputs", "sweep", job["run_id"]), death)
    before = stamps()
    ids = [job["run_id"] for job in entries]

    Path("heal").touch()
    again = sweep(tmp_path, *launcher)
    assert again.returncode == 0, again.stderr
    assert [job["status"] for job in jobs(tmp_path)] == ["skipped", "finished"] * 6
    assert [job["run_id"] for job in jobs(tmp_path)] == ids
    after = stamps()
    assert {name: after[name] for name in before} == before
    resumed = [Path("outputs", "sweep", job["run_id"], "train.log").read_text() for job in entries[1::2]]
    assert all("resumed at step 6 of 12" in log for log in resumed)

    third = sweep(tmp_path, "hydra/launcher=pool")  # the ids are the same under another launcher
    assert third.returncode == 0, third.stderr
    assert {job["status"] for job in jobs(tmp_path)} == {"skipped"}
    assert stamps() == after


@pytest.mark.slow
def test_a_job_that_is_warned_is_saved_and_handed_back_to_its_launcher_which_begins_it_again(tmp_path: Path) -> None:
    installed("submitit_local")
    ended = sweep(tmp_path, "hydra/launcher=submitit_local", deaths=["warn"])
    assert ended.returncode == 0, ended.stderr
    _, warned = jobs(tmp_path)
    log = (tmp_path / "outputs" / "sweep" / warned["run_id"] / "train.log").read_text()
    assert log.index("stopped by SIGUSR2") < log.index("resumed at step 8 of 12")


@pytest.mark.parametrize("choice", ["submitit_slurm", "submitit_local", "joblib", "ray"])
def test_a_launcher_of_others_composes(run_cli, choice: str) -> None:
    installed("submitit_local" if choice.startswith("submitit") else choice)
    ended = run_cli("--cfg", "hydra", "-p", "hydra.launcher", f"hydra/launcher={choice}")
    assert ended.code == 0, ended.err
    assert "_target_: hydra_plugins." in ended.out


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_a_job_has_one_thread_under_every_launcher(run_cli, launcher: str) -> None:
    command = ("-m", *TINY, "name=sweep", "logger=none", "seed=0,1", f"hydra/launcher={launcher}")
    assert run_cli(*command).code == 0
    configs = [yaml.safe_load(path.read_text()) for path in Path("outputs/sweep").glob("*/config.yaml")]
    assert [config["threads"] for config in configs] == [1, 1]


def test_a_launcher_that_loses_its_jobs_is_told_and_what_they_did_is_kept(run_cli, monkeypatch) -> None:
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    launch, held = BasicLauncher.launch, ExitStack()

    def lose(self: BasicLauncher, job_overrides: list[list[str]], initial_job_idx: int) -> None:
        launch(self, job_overrides[:2], initial_job_idx)
        (run_id,) = [item.partition("=")[2] for item in job_overrides[2] if item.startswith("hydra.sweep.subdir=")]
        folder = Path("outputs", "sweep", run_id)
        folder.mkdir()
        held.enter_context(RunLock(folder))  # its worker is alive
        raise RuntimeError("a worker is gone\nand more")

    sgd = ("optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=0.1,1e30,0.2,0.3")
    command = ("-m", *TINY, "name=sweep", "logger=none", *sgd, "hydra/launcher=basic")
    with monkeypatch.context() as patch:
        patch.setattr(BasicLauncher, "launch", lose)
        ended = run_cli(*command)
    assert ended.code == 1
    first, *others = jobs(ended.cwd)
    assert first["status"] == "finished"
    assert {job["status"] for job in others} == {"failed"}
    lost = "the launcher failed: RuntimeError: a worker is gone"
    assert others[0]["reason"].startswith("NotFinite: step 1: the training loss is nan")
    assert re.fullmatch(rf"{lost}; process {os.getpid()} on \S+ still runs it", others[1]["reason"])
    assert others[2]["reason"] == lost
    assert "3 of 4 runs did not finish" in ended.err
    held.close()
    again = run_cli(*command, "optimizer.lr=0.1,0.2,0.3")
    assert again.code == 0
    # What an earlier command was asked for stays on record.
    assert [job["status"] for job in jobs(again.cwd)] == ["skipped", "finished", "finished", "failed"]
