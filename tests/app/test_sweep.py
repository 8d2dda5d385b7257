"""A sweep: a folder a run, by readable ids; what is finished is not run again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lrsched.app.naming import config_sha256, readable
from lrsched.records import NAME
from tests.app.conftest import TINY


def test_a_sweep_makes_a_run_of_each_choice_in_its_own_folder(lrsched) -> None:
    ended = lrsched("-m", "scheduler=cosine,step,onecycle", *TINY, "name=sweep")
    assert ended.code == 0, ended.err
    folders = sorted(path.name for path in (ended.cwd / "outputs" / "sweep").iterdir() if path.is_dir())
    assert len(folders) == 3
    assert all(NAME.fullmatch(name) and re.search(r"-[0-9a-f]{8}$", name) for name in folders)
    assert [re.search(r"scheduler-([a-z]+)", name)[1] for name in folders] == ["cosine", "onecycle", "step"]  # type: ignore[index]
    results = [ended.result(f"sweep/{name}") for name in folders]
    assert {result["status"] for result in results} == {"finished"}
    assert len({result["weights_sha256"] for result in results}) == 3


def test_the_same_command_again_runs_nothing_twice(lrsched) -> None:
    command = ("-m", *TINY, "name=sweep", "seed=0,1")
    first = lrsched(*command)
    before = {path: path.stat().st_mtime_ns for path in first.cwd.rglob("result.json")}
    again = lrsched(*command)
    assert again.code == 0
    assert len(before) == 2
    assert "2 runs in outputs/sweep, 2 of them finished before" in again.err
    assert {path: path.stat().st_mtime_ns for path in first.cwd.rglob("result.json")} == before


def test_one_failing_job_does_not_stop_the_others_and_the_sweep_ends_with_1(lrsched) -> None:
    ended = lrsched(
        "-m", *TINY, "name=sweep", "optimizer.lr=0.1,1e30,0.2", "optimizer.momentum=0", "optimizer.nesterov=false"
    )
    assert ended.code == 1
    statuses = {
        name.name: ended.result(f"sweep/{name.name}")["status"]
        for name in (ended.cwd / "outputs" / "sweep").iterdir()
        if name.is_dir()
    }
    assert sorted(statuses.values()) == ["failed", "finished", "finished"]


def test_a_sweep_of_a_choice_that_is_not_there_is_2(lrsched) -> None:
    ended = lrsched("-m", *TINY, "name=sweep", "scheduler=cosin,stp")
    assert ended.code == 2
    assert "scheduler=cosin: there is no such choice" in ended.err


def test_a_sweep_of_which_every_job_is_invalid_is_2(lrsched) -> None:
    ended = lrsched("-m", *TINY, "name=sweep", "optimizer.lr=-1,-2")
    assert ended.code == 2
    assert ended.err.count("must be a finite number, at least 0") == 2
    assert "2 of 2 runs did not finish" in ended.err


def test_a_sweep_is_not_resumed_like_a_run(lrsched) -> None:
    lrsched("-m", *TINY, "name=sweep", "seed=0,1")
    ended = lrsched("resume=outputs/sweep")
    assert ended.code == 2
    assert (
        "resume=outputs/sweep: is a sweep, not a run; its runs are outputs/sweep/*/; -m again goes on with all"
        in ended.err
    )


def test_ids_are_readable_and_safe() -> None:
    assert readable(["optimizer.lr=1e+30"]) == "optimizer.lr-1e30"
    assert readable(["scheduler=torch/StepLR", "model.hidden=[64,32]", "seed=1"]) == (
        "scheduler-torch-StepLR_model.hidden-64-32_seed-1"
    )
    assert len(readable([f"optimizer.option{i}=1" for i in range(50)])) <= 80


@pytest.mark.parametrize("key", ["name", "resume", "device", "threads", "logger", "checkpoint"])
def test_what_does_not_change_the_result_does_not_change_the_hash(key: str) -> None:
    base = {"seed": 0, "dataset": {"root": "a", "batch_size": 2}, "trainer": {"progress": True}}
    assert config_sha256(base | {key: 1}) == config_sha256(base | {key: 2}) == config_sha256(base)
    moved = base | {"dataset": {"root": "b", "batch_size": 2}}
    assert config_sha256(moved) == config_sha256(base)
    assert config_sha256(base | {"seed": 1}) != config_sha256(base)


def test_a_sweep_whose_reader_has_gone_away_still_says_that_a_run_did_not_finish(tmp_path: Path) -> None:
    code = "import sys; sys.argv[0] = 'lrsched'; from lrsched.cli import main; main()"
    rates = "optimizer.momentum=0 optimizer.nesterov=false optimizer.lr=0.1,1e30"
    command = f'{sys.executable} -c "{code}" train -m {" ".join(TINY)} logger=none name=sweep {rates} | true'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "1 of 2 runs did not finish" in done.stderr
