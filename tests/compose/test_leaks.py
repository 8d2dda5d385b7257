"""A key that nobody wrote is said to come from the default choice, and the line that leaves it out works."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.helpers.cli import TINY

NET = "tests.helpers.own_problem.Net"
TABLE = ("dataset._target_=lrsched.data.Table", "+dataset.path=t.csv", "+dataset.target=y", "task=regression")


@pytest.mark.parametrize(
    ("words", "key", "origin", "line"),
    [
        (["model._target_=lrsched.models.Linear"], "model.hidden=[128]", "model=mlp", "model=linear"),
        ([f"model._target_={NET}"], "model.hidden=[128]", "model=mlp", f"~model '+model={{_target_: {NET}}}'"),
        (
            ["task._target_=lrsched.tasks.Regression"],
            "task.label_smoothing=0.0",
            "task=classification",
            "task=regression",
        ),
        (["optimizer._target_=torch.optim.AdamW"], "optimizer.momentum=0.9", "optimizer=sgd", "optimizer=adamw"),
        (
            ["scheduler._target_=torch.optim.lr_scheduler.StepLR", "+scheduler.step_size=3"],
            "scheduler.warmup=0st",
            "scheduler=cosine",
            "scheduler=torch/StepLR",
        ),
        (list(TABLE), "dataset.train_samples=1797", "dataset=digits", "dataset=table"),
    ],
    ids=["model", "own model", "task", "optimizer", "scheduler", "dataset"],
)
def test_a_key_of_the_default_choice(run_cli, monkeypatch, words: list[str], key: str, origin: str, line: str) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", NET.rpartition(".")[0])
    Path("t.csv").write_text("a,y\n" + "".join(f"{n},{n * n}\n" for n in range(40)), "utf-8")
    ended = run_cli(*words, "trainer.progress=false", "logger=none")
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert ended.err.startswith(f"lrsched: {key}: ")
    assert f"it comes from the default {origin} (conf/{origin.replace('=', '/')}.yaml), to which " in ended.err
    assert ended.err.endswith(f"; on a command line: {line}\n")


def test_the_line_for_an_experiment_works(run_cli, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", NET.rpartition(".")[0])
    Path("conf/experiment").mkdir(parents=True)
    own = f"model:\n  _target_: {NET}\ntask:\n  _target_: lrsched.tasks.Regression\n"
    file = Path("conf/experiment/own.yaml")
    words = ("--config-dir", "conf", "experiment=own", "dataset=diabetes", "trainer.steps=1", "trainer.progress=false")
    overrides = list[str]()
    for _ in range(3):
        file.write_text(f"# @package _global_\ndefaults: [{', '.join(overrides)}]\n{own}", "utf-8")
        ended = run_cli(*words, "name=run")
        overrides.append(ended.err.partition("write `")[2].partition("`")[0])
    assert overrides == ["override /model: null", "override /task: regression", ""]
    assert ended.code == 0, ended.err


def test_a_key_that_an_experiment_has_for_its_own_choice(run_cli) -> None:
    words = ("experiment=bytes", "scheduler=cosine", "name=run")
    ended = run_cli(*words)
    origin = "experiment=bytes has it for its own scheduler: leave it out with ~scheduler.decay"
    assert ended.err == f"lrsched: scheduler.decay=40%: Cosine takes no such argument; {origin}\n"
    assert run_cli(*words, "~scheduler.decay", "--cfg", "job").code == 0
    assert "experiment=" not in run_cli(*words, "scheduler.decay=30%").err


def test_a_value_of_ones_own_is_not_taken_for_a_default(run_cli) -> None:
    ended = run_cli("model._target_=lrsched.models.Linear", "model.hidden=[7]", *TINY)
    assert ended.err == "lrsched: model.hidden=[7]: Linear takes no such argument; known are: bias, outputs\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "/model: linear",
            "lrsched: model=linear: is chosen in a defaults list, and the config has a choice already; ",
        ),
        ("model: linear", "lrsched: experiment/model=linear: there is no such choice; "),
    ],
)
def test_a_choice_without_override(run_cli, text: str, message: str) -> None:
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/own.yaml").write_text(f"# @package _global_\ndefaults:\n  - {text}\n", "utf-8")
    assert run_cli("--config-dir", "conf", "experiment=own").err == f"{message}write override /model: linear\n"


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("lr=0.1", "optimizer.lr=0.1"),
        ("+lr=0.1", "optimizer.lr=0.1"),
        ("hidden=[8]", "model.hidden=[8]"),
        ("warmup=5%", "scheduler.warmup=5%"),
        ("optimizer.maximize=true", "+optimizer.maximize=true"),
    ],
)
def test_a_key_without_its_group(run_cli, word: str, line: str) -> None:
    ended = run_cli(*TINY, word)
    assert ended.code == 2
    assert ended.err.endswith(f"; write {shlex.quote(line)}\n")
