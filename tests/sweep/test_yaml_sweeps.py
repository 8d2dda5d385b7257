"""A sweep that is written in YAML, in ``hydra.sweeper.params``: that of the same words on the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.cli import TINY, Ended
from tests.helpers.studies import stored_study

RUN = (*TINY, "trainer.epochs=1", "logger=none", "name=sweep")
IN_YAML = "hydra:\n  sweeper:\n    params:\n"


def experiment(place: Path, *lines: str, before: str = "") -> tuple[str, ...]:
    """Write an experiment with these parameters; the words that choose it."""
    (place / "my_conf" / "experiment").mkdir(parents=True, exist_ok=True)
    text = f"# @package _global_\n{before}{IN_YAML}" + "".join(f"      {line}\n" for line in lines)
    (place / "my_conf" / "experiment" / "mine.yaml").write_text(text)
    return ("--config-dir", "my_conf", "experiment=mine")


def jobs() -> list[list[str]]:
    """The overrides of each job, those aside that all have."""
    record = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert {job["status"] for job in record} == {"finished"}
    return [[word for word in job["overrides"] if word.startswith(("optimizer.lr", "seed"))] for job in record]


GRID = [[f"optimizer.lr={rate}", f"seed={seed}"] for rate in ("0.1", "0.2") for seed in (0, 1)]


SLOW = pytest.mark.slow
SWEEPERS = ["grid", pytest.param("basic", marks=SLOW, id="hydra's own")]


@pytest.mark.parametrize("sweeper", SWEEPERS)
def test_an_experiment_holds_a_grid(run_cli, tmp_path: Path, sweeper: str) -> None:
    chosen = experiment(tmp_path, "optimizer.lr: 0.1,0.2", "seed: range(0,2)")
    ended = run_cli("-m", *RUN, *chosen, f"hydra/sweeper={sweeper}")
    assert ended.code == 0, ended.err
    assert jobs() == GRID


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(['+hydra.sweeper.params={optimizer.lr: "0.1,0.2", seed: "0,1"}'], marks=SLOW),
        pytest.param(
            ['+hydra.sweeper.params={optimizer.lr: "0.1,0.2"}', '+hydra.sweeper.params.seed="0,1"'], marks=SLOW
        ),
        ['++hydra.sweeper.params={optimizer.lr: "choice(0.1,0.2)"}', "seed=0,1"],
    ],
    ids=["mapping", "two words", "one word and the seeds typed"],
)
def test_an_override_holds_a_grid(run_cli, words: list[str]) -> None:
    ended = run_cli("-m", *RUN, *words)
    assert ended.code == 0, ended.err
    assert jobs() == GRID


@pytest.mark.parametrize("sweeper", SWEEPERS)
def test_what_is_typed_replaces_what_is_written(run_cli, tmp_path: Path, sweeper: str) -> None:
    chosen = experiment(tmp_path, "seed: 0,1", "optimizer.lr: 0.1,0.2,0.3")
    ended = run_cli("-m", *RUN, *chosen, "optimizer.lr=0.4,0.5", f"hydra/sweeper={sweeper}")
    assert ended.code == 0, ended.err
    assert sorted(map(sorted, jobs())) == [
        [f"optimizer.lr={rate}", f"seed={seed}"] for rate in (0.4, 0.5) for seed in (0, 1)
    ]


@pytest.fixture
def planned(run_cli, tmp_path: Path, monkeypatch) -> Callable[..., tuple[Ended, list[list[str]]]]:
    """``planned(lines, …)``: the words of each job of an experiment, none of which is run."""
    from lrsched.sweep.sweep import Sweep

    seen: list[list[str]] = []
    plan = Sweep.plan

    def watched(sweep, overrides, **options):
        seen.append(list(overrides))
        return plan(sweep, [*overrides, "trainer.epochs=-1"], **options)  # refused before it is run

    def call(lines: list[str], *words: str, sweeper: str = "grid") -> tuple[Ended, list[list[str]]]:
        monkeypatch.setattr(Sweep, "plan", watched)
        chosen = experiment(tmp_path, *lines)
        common = {"seed=7", "name=sweep", "experiment=mine"}
        ended = run_cli("-m", "seed=7", "name=sweep", *chosen, f"hydra/sweeper={sweeper}", *words)
        found = [[word for word in job if word not in common] for job in seen]
        seen.clear()
        return ended, found

    return call


def test_values_of_every_kind_are_written_as_they_are_typed(planned) -> None:
    lines = [
        "optimizer.lr: 0.1",
        "optimizer.nesterov: true",
        "trainer.steps: null",
        "model.hidden: [64, 32]",
        "dataset.augment: {crop: 2, note: 'a,b'}",
        '"+optimizer.groups": "{a: {lr: 0.1}},{a: {lr: 0.2}}"',
        '"~debug": null',
        "device: ''",
        "optimizer.momentum: ${optimizer.lr},0.5",
    ]
    _, found = planned(lines)
    fixed = ["optimizer.lr=0.1", "optimizer.nesterov=True", "trainer.steps=null", "model.hidden=[64,32]"]
    fixed += ["dataset.augment={crop:2,note:a\\,b}"]
    last = ["~debug=null", "device="]
    assert found == [
        [*fixed, f"+optimizer.groups={{a:{{lr:{rate}}}}}", *last, f"optimizer.momentum={momentum}"]
        for rate in ("0.1", "0.2")
        for momentum in ("0.1", "0.5")
    ]


def test_what_comes_from_the_environment_is_not_written_down(planned, monkeypatch) -> None:
    monkeypatch.setenv("MY_DEVICE", "s3cret")
    ended, found = planned(["device: '${oc.env:MY_DEVICE}'", "optimizer.lr: '${oc.env:MY_RATE,0.1},0.2'"])
    refer = "device=$\\{oc.env\\:MY_DEVICE\\}"
    assert found == [[refer, "optimizer.lr=$\\{oc.env\\:MY_RATE\\,0.1\\}"], [refer, "optimizer.lr=0.2"]]
    assert "s3cret" not in ended.err


PARAMS, WHOLE = "hydra.sweeper.params", "belongs to the whole sweep"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("name: a,b", f"{PARAMS}.name=a,b: {WHOLE}"),
        pytest.param("sweep.zip: true", f"{PARAMS}.sweep.zip=true: {WHOLE}", marks=SLOW),
        pytest.param("hydra.sweep.dir: x", f"{PARAMS}.hydra.sweep.dir=x: {WHOLE}", marks=SLOW),
        pytest.param("hydra/launcher: basic", f"{PARAMS}.hydra/launcher=basic: {WHOLE}", marks=SLOW),
        ("optimizer.lr: 0.1,", "optimizer.lr=0.1,: this override cannot be read"),
        ("optimizer.lr: ${optimizer.rate}", "optimizer.rate"),
        pytest.param("optimizer.lr: interval(0,1)", "optimizer.lr=interval", marks=SLOW),
        ("seed: [0, 1]", "seed=[0, 1]: must be a whole number"),
    ],
)
def test_what_cannot_be_swept_is_refused_and_leaves_nothing(run_cli, tmp_path: Path, line: str, message: str) -> None:
    ended = run_cli("-m", *RUN[:-1], *experiment(tmp_path, line))
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize("value", ["3", "[1,2]", "text"])
def test_what_is_no_mapping_is_refused(run_cli, value: str) -> None:
    ended = run_cli("-m", *RUN, f"hydra.sweeper.params={value}")
    assert ended.code == 2
    assert "hydra.sweeper.params" in ended.err
    assert not Path("outputs").exists()


def test_the_experiment_may_ask_for_the_sweep_itself(run_cli, tmp_path: Path) -> None:
    chosen = experiment(tmp_path, "optimizer.lr: 0.1,0.2", "seed: 0,1")
    file = tmp_path / "my_conf" / "experiment" / "mine.yaml"
    file.write_text(file.read_text().replace("hydra:\n", "hydra:\n  mode: MULTIRUN\n"))
    ended = run_cli(*RUN, *chosen)
    assert ended.code == 0, ended.err
    assert jobs() == GRID


def test_without_m_it_is_one_run(run_cli, tmp_path: Path) -> None:
    ended = run_cli(*RUN, *experiment(tmp_path, "optimizer.lr: 0.1,0.2"))
    assert ended.code == 0, ended.err
    assert ended.result("sweep")["status"] == "finished"


@pytest.mark.slow
def test_an_experiment_holds_a_halving(run_cli, tmp_path: Path) -> None:
    before = "defaults:\n  - override /hydra/sweeper: halving\n"
    chosen = experiment(tmp_path, "optimizer.lr: 0.1,0.2", "seed: 0,1", before=before)
    file = tmp_path / "my_conf" / "experiment" / "mine.yaml"
    file.write_text(file.read_text() + "    eta: 3\n")
    ended = run_cli("-m", *RUN, *chosen)
    assert ended.code == 0, ended.err
    assert jobs() == GRID


def test_an_experiment_holds_a_study(run_cli, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")
    before = "defaults:\n  - override /hydra/sweeper: optuna\n"
    chosen = experiment(tmp_path, "optimizer.lr: tag(log,interval(0.01,0.1))", "seed: 0,1", before=before)
    ended = run_cli("-m", *RUN, *chosen, "hydra.sweeper.n_trials=2")
    assert ended.code == 0, ended.err
    trials = stored_study()[0]
    assert [sorted(trial.params) for trial in trials] == [["optimizer.lr"]] * 2
    found = jobs()
    assert len(found) == 4
    assert {rate for rate, _ in found} == {f"optimizer.lr={trial.params['optimizer.lr']}" for trial in trials}


@pytest.mark.slow
def test_the_best_trial_of_an_experiment_that_asks_for_a_study_is_one_run_again(run_cli, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")
    before = "defaults:\n  - override /hydra/sweeper: optuna\n"
    chosen = experiment(tmp_path, "optimizer.lr: interval(0.01,0.1)", before=before)
    file = tmp_path / "my_conf" / "experiment" / "mine.yaml"
    file.write_text(file.read_text().replace("hydra:\n", "hydra:\n  mode: MULTIRUN\n"))
    ended = run_cli(*RUN, *chosen, "hydra.sweeper.n_trials=1")
    assert ended.code == 0, ended.err
    (line,) = [line for line in ended.err.splitlines() if "best of 1 trial: " in line]
    again = run_cli(*shlex.split(line.partition("lrsched train ")[2]), *chosen[:2], "name=alone", "threads=1")
    assert again.code == 0, again.err
    (folder,) = Path("outputs/sweep").glob("*/result.json")
    assert again.result("alone")["weights_sha256"] == json.loads(folder.read_text())["weights_sha256"]
