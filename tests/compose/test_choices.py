"""Files that begin with ``_`` are no choices, but what choices are made of: a newcomer's YAML is three lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lrsched.compose.choices import choices_in

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
SHARED = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.rglob("_*.yaml"))
# Three lines each, in a folder of one's own; the second changes a key that is shared.
MINE = {
    "scheduler/mine.yaml": "defaults: [_schedule, _self_]\n_target_: lrsched.schedules.Linear\nfinal: 0.5\n",
    "dataset/mine.yaml": "defaults: [_dataset, _self_]\n_target_: lrsched.data.Synthetic\nsamples: 300\n",
}
MAIN = "from lrsched.cli.main import main; main()"
DOORS = {
    "train.py": [sys.executable, str(ROOT / "train.py")],
    "lrsched": [sys.executable, "-c", "from lrsched.cli.main import main; main()"],
}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    for name, text in MINE.items():
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        (tmp_path / "mine" / name).write_text(text)
    return tmp_path


def ask(door: str, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [*DOORS[door], *(["train"] if door == "lrsched" else []), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("door", DOORS)
def test_three_lines_in_a_folder_of_ones_own_are_a_schedule_and_a_data_set(door: str, mine: Path) -> None:
    asked = ("--config-dir", "mine", "scheduler=mine", "dataset=mine", "scheduler.warmup=2st", "--cfg", "job")
    ended = ask(door, *asked, cwd=mine)
    assert ended.returncode == 0, ended.stderr
    config = yaml.safe_load(ended.stdout)
    shared = {name: yaml.safe_load((CONF / f"{name}.yaml").read_text("utf-8")) for name in SHARED}
    own = {"_target_": "lrsched.schedules.Linear", "final": 0.5, "warmup": "2st"}
    assert config["scheduler"] == shared["scheduler/_schedule"] | own
    own = {"_target_": "lrsched.data.Synthetic", "samples": 300}
    assert config["dataset"] == shared["dataset/_dataset"] | own


def test_a_schedule_of_three_lines_trains(run_cli, mine: Path) -> None:
    small = ("dataset.batch_size=16", "trainer.steps=4", "trainer.log_every=1st", "trainer.progress=false")
    ended = run_cli("--config-dir=mine", "scheduler=mine", "dataset=mine", *small, "optimizer.lr=0.5", "name=run")
    assert ended.code == 0, ended.err
    rates = [row["lr/default"] for row in ended.rows() if "lr/default" in row]
    assert rates == [0.5 * (1 - 0.5 * t / 4) for t in range(4)]


def test_shared_files_are_no_choices() -> None:
    assert SHARED == ["dataset/_dataset", "scheduler/_schedule"]
    assert not {name for name in choices_in(CONF) if "_" in (name[0], name.rpartition("/")[2][0])}
    assert {"cosine", "torch/StepLR"} <= choices_in(CONF / "scheduler")


@pytest.mark.parametrize("door", DOORS)
def test_help_shows_no_shared_file(door: str, tmp_path: Path) -> None:
    ended = ask(door, "--help=all", cwd=tmp_path)
    choices = ended.stdout.partition("== The config")[0]
    assert "cosine" in choices
    assert "_schedule" not in choices
    assert "_dataset" not in choices


@pytest.mark.parametrize("group", ["scheduler", "dataset"])
def test_completion_offers_no_shared_file(group: str, tmp_path: Path) -> None:
    line = f"python train.py {group}="
    ended = ask("train.py", "-sc", "query=bash", cwd=tmp_path, COMP_LINE=line, COMP_POINT=str(len(line)))
    offered = ended.stdout.split()
    assert {f"{group}={name}" for name in choices_in(CONF / group)} == set(offered)


def test_a_glob_stands_for_choices_alone(run_cli) -> None:
    asked = ("-m", "dataset=glob(*)", "trainer.progress=false", "dataset.root=nowhere", "model=missing", "name=sweep")
    ended = run_cli(*asked)
    assert ended.code == 2
    assert "_dataset" not in ended.out + ended.err


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_file_alone_is_refused(run_cli, name: str) -> None:
    group, _, choice = name.partition("/")
    ended = run_cli(f"{group}={choice}", "name=run")
    assert ended.code == 2
    assert f"{group}._target_" in ended.err
    assert "Traceback" not in ended.err
    nearest = run_cli(f"{group}={choice}s", "name=run")
    assert nearest.code == 2
    assert f"did you mean '{choice}'" not in nearest.err
