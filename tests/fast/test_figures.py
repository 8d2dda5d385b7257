"""What follows from figures, and which configs share them; by hand, without a clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lrsched.errors import ConfigError
from lrsched.fast.figures import REPAID, WORTH, Figures, Tried
from lrsched.fast.keys import asked, with_values
from lrsched.fast.work import work_of

PLAIN = {"precision": "fp32", "channels_last": False}
ORDERED = {"precision": "fp32", "channels_last": True}
FIGURES = Figures({**ORDERED, "keep_memory": True}, [Tried(PLAIN, 40.0), Tried(ORDERED, 30.0)], 30.0, 100, "cpu")
ASKED = ("precision", "channels_last", "compile", "keep_memory")
CONFIG: dict[str, Any] = {
    "model": {"_target_": "A", "width": 3},
    "dataset": {"_target_": "B", "root": "data", "batch_size": 8, "split_seed": 0},
    "optimizer": {"_target_": "C", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "task": {"_target_": "D"},
    "average": {},
    "trainer": {"precision": "auto", "epochs": 3, "clip_norm": 1.0, "compile": False},
    "threads": 1,
    "device": "auto",
    "seed": 0,
    "scheduler": {"_target_": "E"},
}


def test_a_compilation_must_be_repaid_twice_and_save_a_tenth() -> None:
    compiled = replace(FIGURES, compiled_ms=20.0, compile_seconds=100.0)
    steps = int(REPAID * 100 / 0.010)
    assert compiled.values(ASKED, steps)["compile"] is False
    assert compiled.values(ASKED, steps + 1) == {**ORDERED, "compile": True, "keep_memory": True}
    assert replace(compiled, threads=2).values(ASKED, 2 * steps)["compile"] is False
    assert replace(compiled, compiled_ms=28.0).values(ASKED, 10**9)["compile"] is False
    assert "compile" not in compiled.values(("precision",), 10**9)


def test_a_short_run_tries_no_compilation() -> None:
    steps = int(WORTH / 0.030)
    assert not FIGURES.may_compile(ASKED, steps)
    assert FIGURES.may_compile(ASKED, steps + 1)
    assert not FIGURES.may_compile(("precision",), 10**9)
    assert not replace(FIGURES, compiled_ms=1.0).may_compile(ASKED, 10**9)


def test_what_a_short_run_takes_does_not_depend_on_whether_a_longer_one_was_timed_meanwhile() -> None:
    compiled = replace(FIGURES, compiled_ms=20.0, compile_seconds=1.0)
    steps = int(WORTH / 0.030)
    assert compiled.values(ASKED, steps) == FIGURES.values(ASKED, steps)
    assert compiled.values(ASKED, steps + 1)["compile"] is True


def test_the_length_of_a_run_is_its_steps_or_its_epochs() -> None:
    assert FIGURES.steps({"steps": None, "epochs": 3}) == 300
    assert FIGURES.steps({"steps": 7, "epochs": 3}) == 7


def test_the_choice_is_told_with_its_figures() -> None:
    assert (
        FIGURES.told(FIGURES.values(ASKED, 1))
        == "trainer=fast takes channels_last, keep_memory: 30 ms an update (fp32 40)"
    )
    compiled = replace(FIGURES, compiled_ms=20.0, compile_seconds=10.0)
    assert "(fp32 40; compiled 20 after 10 s)" in compiled.told(compiled.values(ASKED, 1))
    chosen = compiled.told(compiled.values(ASKED, 10**6))
    assert (
        chosen == "trainer=fast takes channels_last, compile, keep_memory: 20 ms an update (fp32 40; channels_last 30)"
    )


def test_figures_come_back_from_a_file() -> None:
    assert Figures.of(FIGURES.plain(), "fast.json") == FIGURES
    with pytest.raises(ConfigError, match=r"fast.json.chosen.precision=fp8"):
        Figures.of({**FIGURES.plain(), "chosen": {"precision": "fp8"}}, "fast.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("scheduler", {"_target_": "F"}),
        ("optimizer.lr", 0.2),
        ("dataset.split_seed", 3),
        ("dataset.root", "elsewhere"),
        ("trainer.epochs", 9),
        ("trainer.clip_norm", 2.0),
    ],
)
def test_what_is_learned_is_no_work(key: str, value: Any) -> None:
    assert work_of(changed(key, value)) == work_of(CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.width", 4),
        ("dataset.batch_size", 16),
        ("optimizer.momentum", 0.0),
        ("optimizer._target_", "G"),
        ("trainer.clip_norm", None),
        ("trainer.compile", "auto"),
        ("threads", 2),
        ("device", "cuda"),
        ("average", {"_target_": "H"}),
    ],
)
def test_what_an_update_does_is_work(key: str, value: Any) -> None:
    assert work_of(changed(key, value)) != work_of(CONFIG)


def test_only_auto_is_asked_for_and_replaced() -> None:
    assert asked(CONFIG) == ["precision"]
    chosen = with_values(CONFIG, {"precision": "bf16"})
    assert chosen["trainer"] == {**CONFIG["trainer"], "precision": "bf16"}
    assert CONFIG["trainer"]["precision"] == "auto"


def changed(key: str, value: Any) -> dict[str, Any]:
    group, _, name = key.rpartition(".")
    return {**CONFIG, group: {**CONFIG[group], name: value}} if group else {**CONFIG, key: value}
