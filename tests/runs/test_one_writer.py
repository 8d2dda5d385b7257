"""One writer per run folder: from the first file to the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrsched.checkpoint.lock import RunLock
from lrsched.errors import RunFolderBusy
from tests.helpers.cli import TINY
from tests.helpers.fork_server import start_program, wait
from tests.runs.test_resume import stop_at

RUN = (*TINY, "logger=none", "trainer.log_every=1st")


def test_a_run_that_is_under_way_is_not_resumed(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        assert run_cli(*RUN, "name=run").code == 143
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    with RunLock(Path("outputs/run")):
        ended = run_cli("resume=outputs/run")
    assert ended.code == 5
    assert f"outputs/run is in use: process {os.getpid()} on" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()} == before
    assert run_cli("resume=outputs/run").code == 0


def test_the_lock_is_held_until_the_result_is_written(run_cli, monkeypatch) -> None:
    from lrsched.runs import finish as ending

    seen = []
    original = ending.write_json

    def write_json(path: Path, content: object) -> None:
        with pytest.raises(RunFolderBusy):
            RunLock(Path("outputs/run")).acquire()
        seen.append(path.name)
        original(path, content)

    monkeypatch.setattr(ending, "write_json", write_json)
    run_cli(*RUN, "name=run")
    assert seen == ["result.json"]
    with RunLock(Path("outputs/run")):  # and is free when the run is over
        pass


def test_a_job_of_a_sweep_that_is_under_way_is_in_use_and_the_others_run(run_cli, monkeypatch) -> None:
    monkeypatch.setattr("lrsched.runs.start.PATIENCE", 0.2)
    sweep = ("-m", *RUN, "name=sweep", "seed=0,1")
    assert run_cli(*sweep).code == 0
    first, second = sorted(path for path in Path("outputs/sweep").iterdir() if path.is_dir())
    for folder in (first, second):
        (folder / "result.json").unlink()
    with RunLock(first):
        ended = run_cli(*sweep)
    assert ended.code == 1
    assert f"{first} is in use" in ended.err
    assert not (first / "result.json").exists()
    assert (second / "result.json").exists()


def test_a_job_that_died_before_it_began_is_not_told_by_what_ended_it_the_last_time(run_cli, monkeypatch) -> None:
    monkeypatch.setattr("lrsched.runs.start.PATIENCE", 0.2)
    sweep = ("-m", *RUN, "name=sweep", "seed=0")
    assert run_cli(*sweep).code == 0
    (folder,) = (path for path in Path("outputs/sweep").iterdir() if path.is_dir())
    (folder / "result.json").write_text('{"status": "failed", "reason": "the reason of long ago", "metrics": {}}')
    os.utime(folder / "result.json", (1e9, 1e9))
    with RunLock(folder):
        assert run_cli(*sweep).code == 1
    (job,) = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert f"{folder} is in use: process {os.getpid()}" in job["reason"]


def test_a_job_of_a_sweep_waits_for_what_a_killed_sweep_is_still_saving(run_cli) -> None:
    sweep = ("-m", *RUN, "name=sweep", "seed=0")
    assert run_cli(*sweep).code == 0
    (folder,) = (path for path in Path("outputs/sweep").iterdir() if path.is_dir())
    (folder / "result.json").unlink()
    hold = "import sys, time; from pathlib import Path; from lrsched.checkpoint.lock import RunLock\n"
    hold += "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(1.5)"
    with subprocess.Popen([sys.executable, "-c", hold, folder], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert run_cli(*sweep).code == 0
    assert (folder / "result.json").exists()


def test_of_two_starts_of_one_name_one_wins(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = [tmp_path / "first", tmp_path / "second"]
    starts = [start_program(["train", *RUN, "name=run"], tmp_path, Path(os.devnull), path) for path in said]
    ends = [(wait(pid, 120), path.read_text()) for pid, path in zip(starts, said, strict=True)]
    codes = sorted(code for code, _ in ends if code is not None)
    assert codes in ([0, 2], [0, 5]), ends
    assert [path.name for path in Path("outputs").iterdir()] == ["run"]


def test_names_of_ours_in_the_same_second_give_way(run_cli) -> None:
    from lrsched.records import RunFolder
    from lrsched.runs.request import RunRequest, claim

    run_cli(*RUN, "name=run")
    first = RunRequest(RunFolder(Path("outputs/run")), None, numbered=True)  # type: ignore[arg-type]
    claimed = [claim(first) for _ in range(3)]
    assert [job.folder.path.name for job, _ in claimed] == ["run-2", "run-3", "run-4"]
    for _, lock in claimed:
        lock.release()


def test_what_a_killed_start_left_does_not_take_the_name(run_cli) -> None:
    Path("outputs/run").mkdir(parents=True)
    Path("outputs/run/.lock").write_text("4711 elsewhere\n")
    Path("outputs/run/.config.yaml.4711.tmp").write_text("half")
    assert run_cli(*RUN, "name=run").code == 0
