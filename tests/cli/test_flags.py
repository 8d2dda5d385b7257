"""Flags may stand anywhere among the overrides, for every command."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from lrsched.cli.flags import completed, flags_first
from lrsched.errors import ConfigError
from tests.helpers.cli import TINY

FLAGS = (
    ["-m"],
    ["--multirun"],
    ["--config-dir", "my_conf"],
    ["--config-dir=my_conf"],
    ["-cd", "my_conf"],
    ["--config-name", "other"],
    ["--config-path", "conf"],
    ["--cfg", "job", "--resolve"],
    ["-c", "job", "-p", "hydra.launcher"],
    ["-h"],
    ["--info"],
    ["-i", "defaults"],
    ["-sc"],
    ["-r"],
)
WORDS = ["scheduler=cosine", "~debug", "+x={a: 1}", "seed=0,1"]


@pytest.mark.parametrize("flag", FLAGS, ids=" ".join)
def test_a_flag_means_the_same_wherever_it_stands(flag: list[str]) -> None:
    parser = get_args_parser()
    if flag == ["--info"]:
        wanted = vars(parser.parse_args([*WORDS, *flag]))  # before an override, argparse takes that for its value
    else:
        wanted = vars(parser.parse_args([*flag, *WORDS]))
    for place in range(len(WORDS) + 1):
        typed = [*WORDS[:place], *flag, *WORDS[place:]]
        assert vars(parser.parse_args(flags_first(typed))) == wanted, typed


def test_several_flags_at_several_places() -> None:
    for places in itertools.product(range(3), repeat=2):
        typed = ["a=1", "b=2", "c=3"]
        for place, flag in sorted(zip(places, (["-m"], ["-cd", "d"]), strict=True), reverse=True):
            typed[place:place] = flag
        assert flags_first(typed) == ["--multirun", "--config-dir", "d", "a=1", "b=2", "c=3"]


def test_a_value_that_looks_like_an_override_stays_with_its_flag() -> None:
    assert flags_first(["seed=1", "--config-dir", "seed=1", "x=2"]) == ["--config-dir", "seed=1", "seed=1", "x=2"]


def test_hydras_own_help_takes_any_override(tmp_path: Path) -> None:
    """In a process of its own: Hydra's help sets up logging anew, and some handlers close their streams then."""
    command = [sys.executable, "-m", "lrsched", "train", "seed=1", "--hydra-help", "scheduler=cosine"]
    helped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert helped.returncode == 0, helped.stderr
    assert "Hydra (" in helped.stdout


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["seed=1", "--nope", "seed=2"], "there is no flag --nope"),
        (["seed=1", "--config-dir"], "expected one argument"),
        (["seed=1", "--cfg", "seed=2"], "invalid choice: 'seed=2'"),
        (
            ["seed=1", "--experimental-rerun", "job.pickle", "seed=2"],
            "--experimental-rerun=job.pickle: reads a pickled",
        ),
    ],
)
def test_a_wrong_flag_is_refused_wherever_it_stands(typed: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flags_first(typed)


def test_a_sweep_is_asked_for_between_its_overrides(run_cli) -> None:
    ended = run_cli(*TINY, "trainer.epochs=1", "logger=none", "scheduler=cosine", "-m", "seed=0,1", "name=sweep")
    assert ended.code == 0, ended.err
    assert len(json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]) == 2


@pytest.fixture
def my_conf(tmp_path: Path) -> str:
    (tmp_path / "my_conf" / "scheduler").mkdir(parents=True)
    text = "_target_: lrsched.schedules.Cosine\nwarmup: 10%\nfinal: 0.01\n"
    (tmp_path / "my_conf" / "scheduler" / "mine.yaml").write_text(text)
    return "my_conf"


def test_a_folder_of_configs_is_named_between_overrides(run_cli, my_conf: str) -> None:
    for flags in (["--config-dir", my_conf], ["-cd", my_conf], [f"--config-dir={my_conf}"]):
        shown = run_cli("seed=3", *flags, "scheduler=mine", "--cfg", "job", "optimizer.lr=0.2")
        assert shown.code == 0, shown.err
        assert "final: 0.01" in shown.out
        assert "seed: 3" in shown.out
        assert "lr: 0.2" in shown.out
        drawn = run_cli(
            "seed=3", *flags, "scheduler=mine,step", "--csv", "rates.csv", "trainer.steps=20", command="preview"
        )
        assert drawn.code == 0, drawn.err
        assert "mine" in Path("rates.csv").read_text()


def test_help_is_asked_for_between_overrides(run_cli, my_conf: str) -> None:
    helped = run_cli("seed=3", "--help=all", "optimizer.lr=0.2", "--config-dir", my_conf, "scheduler=mine")
    assert helped.code == 0, helped.err
    assert "seed: 3" in helped.out
    assert "lr: 0.2" in helped.out
    assert "final: 0.01" in helped.out


def test_other_commands_read_flags_between_their_paths(run_cli) -> None:
    for seed in (0, 1):
        assert run_cli(*TINY, "trainer.epochs=1", "logger=none", f"seed={seed}", f"name=run{seed}").code == 0
    compared = run_cli("outputs/run0", "--json", "numbers.json", "outputs/run1", command="report")
    assert compared.code == 0, compared.err
    runs = json.dumps(json.loads(Path("numbers.json").read_text()))
    assert "run0" in runs
    assert "run1" in runs
    checked = run_cli("outputs/run0", "outputs/run1", command="check")
    assert checked.code == 0, checked.err


def test_every_command_reads_flags_between_other_words() -> None:
    for path in (Path(__file__).resolve().parents[2] / "lrsched" / "cli").glob("*.py"):
        assert ".parse_args(" not in path.read_text(), f"{path.name}: argparse wants all other words side by side"


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("python train.py seed=1 -m scheduler=ws", "lrsched --multirun seed=1 scheduler=ws"),
        ("lrsched train seed=1 --config-dir d scheduler=ws", "lrsched --config-dir d seed=1 scheduler=ws"),
        ("lrsched train seed=1 -m ", "lrsched train seed=1 -m "),  # the shell completes no override yet
        ("lrsched train -m seed=1 ", "lrsched --multirun seed=1 "),
        ("lrsched train ", "lrsched "),
        ("python train.py seed=1 --conf", "python train.py seed=1 --conf"),
        ("python train.py seed=1 --nope scheduler=ws", "python train.py seed=1 --nope scheduler=ws"),
    ],
)
def test_a_line_is_completed_with_its_flags_first(line: str, read: str) -> None:
    assert completed(line) == read


def test_tab_completes_an_override_after_a_flag_that_follows_one(run_cli, monkeypatch) -> None:
    for line in ("python train.py seed=1 -m scheduler=ws", "lrsched train seed=1 -m scheduler=ws"):
        monkeypatch.setenv("COMP_LINE", line)
        ended = run_cli("-sc", "query=bash")
        assert ended.code == 0, ended.err
        assert "scheduler=wsd" in ended.out.split()
