"""resume=auto: one line for a scheduler that kills and starts again; it finds its own run and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

RUN = (*TINY, "trainer.epochs=4", "logger=none", "trainer.log_every=1st")


def cut(run_cli, monkeypatch, *overrides: str) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN, *overrides).code == 143


def test_it_starts_and_goes_on_and_ends_with_one_line(run_cli, monkeypatch) -> None:
    cut(run_cli, monkeypatch, "resume=auto")
    (folder,) = Path("outputs").iterdir()
    again = run_cli(*RUN, "resume=auto")
    assert again.code == 0, again.err
    assert f"resume=auto: outputs/{folder.name}" in again.err
    assert again.result(folder.name)["step"] == 24
    third = run_cli(*RUN, "resume=auto", "name=third")
    assert "there is no unfinished run of this config in outputs/third; a new one is started" in third.err
    assert third.result("third")["weights_sha256"] == again.result(folder.name)["weights_sha256"]


def test_the_newest_of_the_same_config_whatever_the_clock_of_its_files(run_cli, monkeypatch) -> None:
    for name in ("2026-01-02_00-00-00", "2026-01-01_00-00-00", "2026-01-02_00-00-00-2"):
        cut(run_cli, monkeypatch, f"name={name}")
    cut(run_cli, monkeypatch, "name=2026-01-09_00-00-00", "seed=1")
    assert run_cli(*RUN, "name=2026-01-08_00-00-00").code == 0
    broken = Path("outputs/2026-01-07_00-00-00/config.yaml")
    broken.parent.mkdir()
    broken.write_text("a: [", "utf-8")
    ended = run_cli(*RUN, "resume=auto", "device=cpu")  # where it is computed is no part of the config
    assert ended.code == 0, ended.err
    assert "resume=auto: outputs/2026-01-02_00-00-00-2, the newest of 3" in ended.err
    assert "resume=auto passes over outputs/2026-01-07_00-00-00" in ended.err
    assert ended.result("2026-01-02_00-00-00-2")["status"] == "finished"


def test_a_name_narrows_it_down_and_a_finished_one_is_left_alone(run_cli, monkeypatch) -> None:
    cut(run_cli, monkeypatch, "name=mine")
    cut(run_cli, monkeypatch, "name=other")
    assert run_cli(*RUN, "resume=auto", "name=mine").result("mine")["status"] == "finished"
    again = run_cli(*RUN, "resume=auto", "name=mine")
    assert (again.code, "outputs/mine is finished" in again.err) == (0, True)
    assert again.result("other")["status"] == "stopped"


def test_a_lengthened_run_is_found_by_what_it_is_now(run_cli, monkeypatch) -> None:
    assert run_cli(*TINY, "logger=none", "trainer.log_every=1st", "name=run").code == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 15)
        assert run_cli("resume=outputs/run", "trainer.epochs=4", "trainer.on_extend=keep").code == 143
    ended = run_cli(*RUN, "trainer.on_extend=keep", "resume=auto")
    assert (ended.code, ended.result()["step"]) == (0, 24), ended.err


def test_the_job_of_a_sweep_is_found_too(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli("-m", *RUN, "name=sweep", "seed=3,4").code == 1  # each job was stopped by itself
    ended = run_cli(*RUN, "seed=3", "resume=auto")
    assert ended.code == 0, ended.err
    assert "resume=auto: outputs/sweep/" in ended.err


def test_it_looks_without_torch() -> None:
    code = "import sys, lrsched.runs.auto_resume; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
