"""Every value of lrsched's own keys: its type, its range, its message."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
import yaml

from lrsched.config import schema
from lrsched.config.check import read, take
from lrsched.config.settings import Checked, settings
from lrsched.config.types import check_type, describe, singles
from lrsched.errors import ConfigError
from lrsched.horizon import Duration


def config(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        group: {"_target_": "x.Y"} for group in ("optimizer", "scheduler", "task", "model", "dataset")
    }
    return base | {"name": "run"} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed=-1: must be at least 0"),
        ({"seed": 1.5}, "seed=1.5: must be a whole number"),
        ({"sed": 1}, "sed=1: there is no such key; did you mean 'seed'?"),
        ({"name": "../../x"}, "name=../../x: a name starts with a letter or a digit"),
        ({"name": "a" * 101}, "a name starts with"),
        ({"name": "<script>"}, "a name starts with"),
        ({"device": "gpu"}, "device=gpu: is no device"),
        ({"threads": 0}, "threads=0: must lie between 1 and 1024"),
        ({"model": None}, "model=null: must be a mapping with a _target_; choose one of conf/model/"),
        ({"optimizer": {"lr": 1}}, "must be a mapping with a _target_"),
        ({"logger": "csv"}, "logger=csv: must be a mapping of loggers"),
        ({"trainer": {"epochs": 0}}, "trainer.epochs=0: must be at least 1"),
        ({"trainer": {"epochs": True}}, "trainer.epochs=true: must be a whole number"),
        ({"trainer": {"epocs": 1}}, "trainer.epocs=1: there is no such key; did you mean 'epochs'?"),
        ({"trainer": {"steps": 0}}, "trainer.steps=0: must be at least 1"),
        ({"trainer": {"clip_norm": 0}}, "trainer.clip_norm=0: must be a finite number above 0"),
        ({"trainer": {"clip_norm": float("nan")}}, "trainer.clip_norm=nan: must be a finite number above 0"),
        ({"trainer": {"precision": "fp61"}}, "must be one of fp32, bf16, fp16, auto; did you mean 'fp16'?"),
        ({"trainer": {"log_every": "5"}}, "a duration carries its unit"),
        ({"trainer": {"log_every": 5}}, "must be text"),
        ({"trainer": {"evaluate_every": "1.5st"}}, "steps are whole numbers"),
        (
            {"trainer": {"label_smoothing": 1.0}},
            "label_smoothing=1.0: has moved; it is task.label_smoothing now",
        ),
        ({"trainer": {"early_stop": {"patience": 0}}}, "trainer.early_stop.patience=0: must be at least 1"),
        ({"trainer": {"early_stop": {"mode": "up"}}}, "must be one of min, max"),
        ({"trainer": {"early_stop": 3}}, "trainer.early_stop=3: must be a mapping of monitor, mode"),
        ({"checkpoint": {"keep": 0}}, "checkpoint.keep=0: must be at least 1"),
        ({"checkpoint": {"allow_change": "optimizer.lr"}}, "must be a list"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(config(**changes))
    assert message in str(caught.value)


def test_reserved_keys_are_taken_and_checked() -> None:
    reserved, rest = take(schema.DatasetConfig, {"_target_": "x.Y", "batch_size": 8, "root": "d"}, "dataset")
    assert (reserved.batch_size, rest) == (8, {"_target_": "x.Y", "root": "d"})
    with pytest.raises(ConfigError, match=r"dataset\.validation=1\.0: is a part of the data"):
        take(schema.DatasetConfig, {"validation": 1.0}, "dataset")


@pytest.mark.parametrize(("group", "cls"), [("trainer", schema.TrainerConfig), ("checkpoint", schema.CheckpointConfig)])
def test_the_yaml_says_what_the_schema_says(root: Path, group: str, cls: type) -> None:
    written = yaml.safe_load((root / "conf" / group / "default.yaml").read_text("utf-8"))
    assert written == asdict(cls())
    assert read(cls, written, group) == cls()


@pytest.mark.parametrize(
    ("value", "hint", "result"),
    [
        (1, float, 1),
        ([1, 2], tuple[int, int], (1, 2)),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([0.9, 0.99], tuple[float | str, float], (0.9, 0.99)),
        (None, Optional[int], None),  # noqa: UP045
        ("a", Literal["a", "b"], "a"),
        ("5%", Duration, "5%"),
        (["5%", "1ep"], list[Duration], ["5%", "1ep"]),
        ({"absolute": 1.0}, float | dict, {"absolute": 1.0}),
    ],
)
def test_values_of_their_type_pass(value: Any, hint: Any, result: Any) -> None:
    assert check_type("key", value, hint) == result


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (True, float, "must be a number"),
        (True, int, "must be a whole number"),
        ("1", int, "must be a whole number"),
        (1, bool, "must be true or false"),
        ([1], tuple[int, int], "must be a list of 2: a whole number, a whole number"),
        ("ab", list[str], "must be a list, each text"),
        ([1, "x"], list[int], "must be a list, each a whole number"),
        ("c", Literal["a", "b"], "must be one of a, b"),
        (1, Literal[True], "must be one of True"),
        ("5", Duration, "a duration carries its unit"),
        (["5"], list[Duration], "a duration carries its unit"),
        ("x", int | None, "must be a whole number or null"),
        (3, dict[str, float], "must be a mapping"),
    ],
)
def test_values_of_another_type_are_refused(value: Any, hint: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_type("key", value, hint)


@pytest.mark.parametrize(
    "hint",
    [str, int, bool, float, Optional[int], float | str | None, Any, Duration, list[int]],  # noqa: UP045
)
def test_single_values_of_a_type_need_no_check(hint: Any) -> None:
    for value in ("x", 1, 1.5, True, None, [1], {}):
        if type(value) in singles(hint):
            assert check_type("key", value, hint) is value
    assert singles(hint).isdisjoint({list, dict, tuple})
    assert bool(singles(hint)) is (hint not in (Any, Duration, list[int]))


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 1e39, 2**63, -(2**63) - 1])
@pytest.mark.parametrize(
    "node", [lambda value: value, lambda value: [[1], {"deep": [0, value]}], lambda value: (value,)]
)
def test_a_number_that_no_tensor_holds_is_found_at_any_depth(node: Any, value: float) -> None:
    with pytest.raises(ConfigError, match=r"^model\.width"):
        settings(config(model={"_target_": "x.Y", "text": "1e39", "width": node(value)}))


def test_of_a_config_like_another_all_is_checked_that_is_not_the_same_node() -> None:
    first = config(trainer={"epochs": 1, "deterministic": True}, checkpoint={"keep": 1}, seed=1)
    like = Checked(first, settings(first))
    other = first | {"seed": 2, "model": {"_target_": "x.Z"}, "trainer": {"epochs": 1, "deterministic": False}}
    run = settings(other, like=like)
    assert run == settings(other)
    assert run.checkpoint is like.run.checkpoint
    assert run.optimizer is like.run.optimizer
    bare = {key: value for key, value in first.items() if key != "checkpoint"}
    assert settings(bare, like=like) == settings(bare)  # what it does not hold has its default
    for wrong in ({"trainer": {"epochs": True, "deterministic": 1}}, {"seed": True}, {"seed": -1}, {"name": ""}):
        assert wrong.get("trainer", first["trainer"]) == first["trainer"]  # equal, and of another type
        with pytest.raises(ConfigError):
            settings(first | wrong, like=like)
    for missing in ("model", "scheduler"):
        with pytest.raises(ConfigError, match=f"{missing}=.*must be a mapping with a _target_"):
            settings({key: value for key, value in first.items() if key != missing}, like=like)


def test_types_are_described_in_words() -> None:
    assert describe(tuple[float, ...]) == "a list, each a number"
