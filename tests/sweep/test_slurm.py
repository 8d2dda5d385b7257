"""What a cluster does to jobs of its own accord: whatever it is, the run is saved, and goes on where it stood."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.test_launchers import LAUNCHERS, installed, jobs, sweep

pytestmark = pytest.mark.slow


LIMIT = ["hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=10", "sweep.timeout=60"]
"""Slurm's shortest; it looks every half a minute, and sends the job a USR2 20 to 50 seconds after its beginning."""


@pytest.fixture
def slurm(a_cluster, tmp_path: Path, monkeypatch):
    """``slurm(deaths, …)``: a sweep of each death and of a job that lives before each, on a real cluster."""
    installed("submitit_slurm")
    monkeypatch.chdir(tmp_path)
    return lambda deaths, *more: sweep(tmp_path, *LAUNCHERS["submitit_slurm"][1], *more, deaths=deaths)


def log_of(job: dict[str, str]) -> str:
    return Path("outputs", "sweep", job["run_id"], "train.log").read_text()


def test_what_slurm_ends_is_saved_and_told_and_the_same_command_goes_on_with_it(slurm, tmp_path) -> None:
    ended = slurm(["cancel", "limit"], *LIMIT)
    assert ended.returncode == 1, ended.stderr
    before = jobs(tmp_path)
    assert [job["status"] for job in before] == ["finished", "stopped", "finished", "failed"]
    assert before[1]["reason"] == "stopped by SIGTERM"
    assert "timed-out too many times" in before[3]["reason"]
    again = slurm(["cancel", "limit"], *LIMIT)
    assert again.returncode == 0, again.stderr
    assert [job["status"] for job in jobs(tmp_path)] == ["skipped", "finished"] * 2
    assert all("resumed at step 8 of 12" in log_of(job) for job in before[1::2])


def test_what_slurm_puts_back_into_its_queue_goes_on_by_itself(slurm, tmp_path) -> None:
    """It takes three minutes: Slurm lets a job rest before it begins it again."""
    ended = slurm(["preempt", "limit"], *LIMIT, "hydra.launcher.max_num_timeout=1")
    assert ended.returncode == 0, ended.stderr
    for job in jobs(tmp_path)[1::2]:
        log = log_of(job)
        assert log.index("stopped by SIGUSR2") < log.index("resumed at step 8 of 12")
