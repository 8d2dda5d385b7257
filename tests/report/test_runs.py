"""What is found on the disk, whatever its state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrsched.app import naming
from lrsched.errors import ConfigError
from lrsched.report import candidates
from lrsched.report.runs import read_runs

LOOP = "scheduler: &a {b: *a}\noptimizer: {}\n"


def test_runs_are_found_at_any_depth_and_each_once(leave, tmp_path: Path) -> None:
    one = leave("Cosine", 0.1, 0, 0.5, under="a/b")
    leave("Cosine", 0.1, 1, 0.6, under="c")
    (one / "checkpoints" / "step-0000000012").mkdir(parents=True)  # nothing is looked for in a run
    (one / "checkpoints" / "config.yaml").write_text("optimizer: 1\nscheduler: 1\n")
    runs = read_runs([tmp_path, one, tmp_path / "a" / ".." / "a"])
    assert [run.config["seed"] for run in runs] == [0, 1]
    assert runs[0].metrics == {"val/loss": 0.5}
    assert (runs[0].status, runs[0].step) == ("finished", 12)


def test_configs_that_are_not_of_runs_are_passed_over(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    for name, text in {"conf": "defaults:\n  - optimizer: sgd\n", "other": "a: 1\n", "text": "{"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text)
    assert len(read_runs([tmp_path])) == 1


def test_an_unfinished_run_and_one_of_each_end(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status=None)
    leave("Cosine", 0.1, 1, status="failed", reason="StorageError: No space left on device", metrics={})
    leave("Cosine", 0.1, 2, status="failed", reason="NotFinite: step 7: train/loss is nan", metrics={})
    leave("Cosine", 0.1, 3, status="stopped", reason="signal 15", metrics={"val/loss": 2.0})
    leave("Cosine", 0.1, 4, None)  # finished, and its loss is null: it was not finite
    runs = read_runs([tmp_path])
    assert [run.status for run in runs] == ["unfinished", "failed", "failed", "stopped", "finished"]
    assert [run.diverged for run in runs] == [False, False, True, False, True]
    assert [run.decided for run in runs] == [False, False, True, False, True]
    assert runs[1].reason == "StorageError: No space left on device"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", '{"step": 1}', '{"status": "finished", "metrics": {"a": "b"}}']
)
def test_a_damaged_result_is_told(leave, tmp_path: Path, content: str) -> None:
    (leave("Cosine", 0.1, 0, 0.5) / "result.json").write_text(content)
    (run,) = read_runs([tmp_path])
    assert run.status == "broken"
    assert run.reason.startswith("result.json cannot be read: ")
    assert run.config["optimizer.lr"] == 0.1


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "!!python/object/apply:os.getcwd []", "a: \x00", LOOP])
def test_a_damaged_config_is_told(leave, tmp_path: Path, content: str) -> None:
    (leave("Cosine", 0.1, 0, 0.5) / "config.yaml").write_text(content)
    (run,) = read_runs([tmp_path])
    assert run.status == "broken"
    assert run.reason.startswith("config.yaml cannot be read: ")


def test_a_sweep_says_what_its_folders_do_not(leave, tmp_path: Path) -> None:
    killed = leave("Cosine", 0.1, 0, status=None)
    jobs = [
        {"run_id": killed.name, "overrides": ["seed=0"], "status": "failed", "reason": "killed by signal 9"},
        {"run_id": "gone", "overrides": ["optimizer.lr=-1"], "status": "failed", "reason": "optimizer.lr=-1: no"},
    ]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    gone, run = read_runs([tmp_path])
    assert (run.status, run.reason, run.overrides) == ("failed", "killed by signal 9", ("seed=0",))
    assert (gone.status, gone.reason, gone.overrides) == ("missing", "optimizer.lr=-1: no", ("optimizer.lr=-1",))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"jobs": 3}', '{"jobs": [{}]}'])
def test_a_damaged_sweep_file_hides_nothing(leave, tmp_path: Path, content: str) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    (tmp_path / "sweep" / "sweep.json").write_text(content)
    assert [run.status for run in read_runs([tmp_path])] == ["finished"]


def test_a_path_without_runs_names_the_nearest(leave, tmp_path: Path) -> None:
    run = leave("Cosine", 0.1, 0, 0.5)
    with pytest.raises(ConfigError, match=r"swep: there is no such folder; did you mean 'sweep'\?"):
        read_runs([tmp_path / "swep"])
    (run / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match=f"there is no run in it; did you mean '{run}'"):
        read_runs([run / "checkpoints"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="there is no run in it; give outputs/NAME"):
        read_runs([tmp_path / "sweep", tmp_path / "empty"])


def test_what_does_not_change_a_run_does_not_tell_it_from_another() -> None:
    assert set(candidates.NEUTRAL) >= set(naming.NEUTRAL)
    within = {f"{group}.{key}" for group, keys in naming.NEUTRAL_WITHIN.items() for key in keys}
    assert set(candidates.NEUTRAL_WITHIN) >= within
