"""Short names made of exactly what differs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lrsched.config.walk import flat
from lrsched.report import compare_paths
from lrsched.report.candidates import candidate, differing, names, workload
from lrsched.report.notes import notes
from lrsched.shelf import target_name
from tests.report.conftest import config

CONF = Path(__file__).resolve().parents[2] / "conf"
SCHEDULE = ("scheduler._target_",)


def parts(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(candidate(flat(config(**change)))) for change in changes]


@pytest.mark.parametrize("group", ["scheduler", "optimizer", "model", "dataset"])
def test_a_class_is_named_as_it_is_chosen(group: str) -> None:
    for path in (CONF / group).rglob("*.yaml"):
        target = yaml.safe_load(path.read_text("utf-8")).get("_target_", "")
        if re.fullmatch(r"(lrsched|torch)\..*", target) and not target.startswith("lrsched.models.torchvision"):
            chosen = path.relative_to(CONF / group).with_suffix("").as_posix()
            assert target_name(target) == chosen or group in ("model", "dataset")


def test_a_schedule_alone_is_named_by_its_schedule() -> None:
    assert names(parts({}), SCHEDULE) == ["cosine"]


def test_only_what_differs_is_named() -> None:
    found = names(parts({}, {"optimizer__weight_decay": 0.1}, {"scheduler__warmup": "5%"}), SCHEDULE)
    assert found == [
        "cosine warmup=0st weight_decay=0.0",
        "cosine warmup=0st weight_decay=0.1",
        "cosine warmup=5% weight_decay=0.0",
    ]


def test_arguments_that_only_one_class_has_are_not_named() -> None:
    step = {"scheduler___target_": "lrsched.schedules.Step", "scheduler__gamma": 0.1}
    adam = {"optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001, "betas": [0.9, 0.999]}}
    assert names(parts({}, step, step | adam), SCHEDULE) == ["cosine sgd", "step sgd", "step adamw"]


def test_a_key_that_some_lack_distinguishes_those_that_have_it() -> None:
    same = {"scheduler._target_": "a.A", "seed": 0}
    assert differing([same, same]) == [{}, {}]
    assert differing([same, {**same, "x": 1}, {**same, "x": 1}]) == [{}, {"x": 1}, {"x": 1}]
    assert differing([same, same], always=("seed", "absent")) == [{"seed": 0}, {"seed": 0}]


def test_a_run_that_was_continued_says_so_and_the_others_stay_plain() -> None:
    past = {"at": 210, "policy": "stretch", "epochs": 10, "steps": None}
    continued = {"trainer__epochs": 12, "trainer__extensions": [past]}
    plain = {"trainer__epochs": 10, "trainer__extensions": []}
    step = {"scheduler___target_": "lrsched.schedules.Step"}
    found = names(parts(plain, step | plain, continued), SCHEDULE)
    assert found == ["cosine", "step", "cosine epochs=12 stretched at 210"]
    longer = plain | {"trainer__epochs": 20}
    found = names(parts(plain, longer, continued), SCHEDULE)
    assert found == ["cosine epochs=10", "cosine epochs=20", "cosine epochs=12 stretched at 210"]


def test_keys_with_one_end_are_told_apart() -> None:
    both = {"scheduler__final": 0.1, "scheduler__groups__head__final": 0.2}
    other = {"scheduler__final": 0.3, "scheduler__groups__head__final": 0.4}
    assert names(parts(both, other), SCHEDULE)[0] == "cosine scheduler.final=0.1 head.final=0.2"


def test_classes_of_one_name_are_told_apart() -> None:
    first, second = ({"scheduler___target_": f"{package}.Mine"} for package in ("a", "b"))
    assert names(parts(first, second), SCHEDULE) == ["scheduler._target_=a.Mine", "scheduler._target_=b.Mine"]


def test_rate_seed_and_what_changes_nothing_are_no_part_of_a_candidate() -> None:
    plain = flat(config())
    moved = flat(config(optimizer__lr=3, seed=7, device="cpu", dataset__root="b", name="y", checkpoint__every="1ep"))
    assert candidate(plain) == candidate(moved)
    assert workload(plain) == workload(moved)


def test_another_model_or_data_set_is_another_workload_and_another_batch_size_is_not() -> None:
    plain = workload(flat(config()))
    assert plain == workload(flat(config(dataset__batch_size=32, dataset__augment__crop=2)))
    assert plain != workload(flat(config(model__hidden=[64])))
    assert plain != workload(flat(config(dataset__validation=0.3)))


@pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
def test_a_class_that_trains_at_its_own_peak_is_tuned_by_it(leave, tmp_path: Path, name: str) -> None:
    """``optimizer.lr`` is the same in all, and not what was trained."""
    target = {"scheduler___target_": f"torch.optim.lr_scheduler.{name}"}
    for peak, loss in ((0.2, 0.5), (0.4, 0.3)):
        for seed in (0, 1):
            leave("x", 0.1, seed, loss, scheduler__max_lr=peak, **target)
    leave("Cosine", 0.1, 0, 0.9)
    (comparison,) = compare_paths([tmp_path / "sweep"]).comparisons
    rows = [(row.name, row.best.lr, [rate.lr for rate in row.rates]) for row in comparison.candidates if row.best]
    assert rows == [(f"torch/{name}", 0.4, [0.2, 0.4]), ("cosine", 0.1, [0.1])]
    told = f"the best rate is the largest tried (torch/{name} 0.4): widen the sweep to larger scheduler.max_lr"
    assert told in list(notes(comparison))


def test_a_peak_that_follows_the_optimizers_rate_is_that_rate(leave, tmp_path: Path) -> None:
    target = {"scheduler___target_": "torch.optim.lr_scheduler.OneCycleLR", "scheduler__max_lr": "${optimizer.lr}"}
    for lr in (0.1, 0.3):
        leave("x", lr, 0, lr, **target)
    (comparison,) = compare_paths([tmp_path / "sweep"]).comparisons
    assert [[rate.lr for rate in row.rates] for row in comparison.candidates] == [[0.1, 0.3]]
