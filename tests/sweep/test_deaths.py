"""Twelve jobs of a sweep, of which six die, each in its own way: the others finish, and all that died is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lrsched.records import RunFolder
from lrsched.sweep import processes as pool
from lrsched.sweep.launchers.worker import error_of_job
from lrsched.sweep.processes import End
from tests.helpers.cli import TINY, Ended

REASONS = {
    "raise": "ValueError: the model has had enough",
    "exit0": "SystemExit: 0",
    "exit3": "SystemExit: 3",
    "leave": "ended with exit code 0, before it was finished",
    "kill": "killed by SIGKILL",
    "memory": "allocate memory",
    "hang": "timed out after",
    "crash": "killed by SIGSEGV",
    "diverge": "the training loss is nan",
}
"""What sweep.json says of each death."""

TRACEBACKS = {
    "raise": "in _raise",
    "exit0": "sys.exit(code)",
    "exit3": "sys.exit(code)",
    "hang": "in _hang",
    "crash": "in _crash",
    "memory": "in _eat",
    "diverge": "NotFinite",
}
"""What the log of each shows that can be asked where it was."""


@pytest.fixture
def sweep(run_cli, monkeypatch: pytest.MonkeyPatch):
    """``sweep(launcher, deaths)``: a sweep of each death, and of a job that lives before each."""
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.dying_model")
    monkeypatch.setattr(pool, "GRACE", 0.5)

    def call(launcher: str, deaths: list[str], *overrides: str) -> Ended:
        fates = [fate for death in deaths for fate in ("none", death)]
        return run_cli(
            "-m",
            *TINY,
            "name=sweep",
            "logger=none",
            "checkpoint.every=1ep",
            "model._target_=tests.helpers.dying_model.Mortal",
            f"+model.death={','.join(fates)}",
            f"seed={','.join(map(str, range(len(fates))))}",
            "sweep.zip=true",
            "sweep.timeout=3",
            f"hydra/launcher={launcher}",
            *overrides,
        )

    return call


def jobs(ended: Ended) -> dict[str, dict[str, str]]:
    """What sweep.json says of those that were to die, by their death; the others must have finished."""
    entries = json.loads((ended.cwd / "outputs" / "sweep" / "sweep.json").read_text())["jobs"]
    assert {job["status"] for job in entries if "+model.death=none" in job["overrides"]} == {"finished"}
    return {
        override.partition("=")[2]: job
        for job in entries
        for override in job["overrides"]
        if override.startswith("+model.death=") and not override.endswith("none")
    }


def check(ended: Ended, deaths: list[str]) -> None:
    assert ended.code == 1, ended.err
    assert "6 of 12 runs did not finish" in ended.err
    dead = jobs(ended)
    assert list(dead) == deaths
    for death, job in dead.items():
        assert job["status"] == "failed"
        assert (job["ended"], job["why"]) == ("diverged" if death == "diverge" else "error", None)
        assert REASONS[death] in job["reason"]
        assert job["reason"] in ended.err
        folder = Path("outputs", "sweep", job["run_id"])
        if death in TRACEBACKS:
            assert TRACEBACKS[death] in traceback_of(folder, death)
        if death in ("raise", "leave", "kill"):
            assert "a word before dying" in (folder / "output.log").read_text()


def traceback_of(folder: Path, death: str) -> str:
    """The log that has the traceback; Python's own where the run could still write one, else the system's."""
    own = death not in ("hang", "crash")
    log = (folder / ("train.log" if own else "output.log")).read_text()
    assert ("Traceback" if own else "most recent call first") in log
    return log


def stamps() -> dict[str, tuple[int, int]]:
    """Inode and time of the results of the runs that finished."""
    found = {}
    for path in Path("outputs", "sweep").glob("*/result.json"):
        if json.loads(path.read_text())["status"] == "finished":
            stat = path.stat()
            found[path.parent.name] = (stat.st_ino, stat.st_mtime_ns)
    return found


@pytest.mark.parametrize(
    ("launcher", "deaths"),
    [
        ("pool", ["raise", "exit3", "kill", "memory", "hang", "diverge"]),
        ("basic", ["leave", "exit0", "crash", "memory", "diverge", "raise"]),
    ],
)
def test_six_die_and_six_finish(sweep, launcher: str, deaths: list[str]) -> None:
    check(sweep(launcher, deaths), deaths)
    before = stamps()
    assert len(before) == 6
    Path("heal").touch()
    again = sweep(launcher, deaths, "sweep.timeout=60")
    assert again.code == 0, again.err
    assert "12 runs in outputs/sweep, 6 of them finished before" in again.err
    after = stamps()
    assert len(after) == 12
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("code", [2, 5])
def test_a_run_that_an_equal_sweep_finished_meanwhile_is_finished(code: int, tmp_path: Path) -> None:
    """The claim of its folder was refused; what was finished before the job began is another matter."""
    folder = RunFolder(tmp_path / "seed-0")
    folder.path.mkdir()
    folder.config.write_text("{}")
    folder.result.write_text('{"status": "finished", "ended": "finished", "reason": "all 10 steps are done"}')
    assert error_of_job(folder, End(code, 5.0)) is None
    assert error_of_job(folder, End(1, 5.0)) is not None
    long_ago = folder.result.stat().st_mtime - 60
    os.utime(folder.result, (long_ago, long_ago))
    assert error_of_job(folder, End(code, 5.0)) is not None
