"""A command line composed onto the stored config of a run."""

from __future__ import annotations

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from lrsched.compose.nodes import as_written
from lrsched.compose.onto import onto

STORED = {
    "seed": 3,
    "name": "run",
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "groups": {"body": {"params": "body.*"}}},
    "scheduler": {
        "_target_": "torch.optim.lr_scheduler.OneCycleLR",
        "max_lr": "${optimizer.lr}",
        "total_steps": "auto",
    },
    "model": {"_target_": "lrsched.models.MLP", "hidden": [64]},
    "dataset": {"_target_": "lrsched.data.Digits"},
}
COMPOSED = {"scheduler": {"_target_": "lrsched.schedules.Cosine", "final": 0.5}, "logger": {"csv": {}}}


def composed(*overrides: str):
    return onto(OmegaConf.create(STORED), OmegaConf.create(COMPOSED), overrides)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("scheduler.total_steps=9", "scheduler.total_steps", 9),
        ("+scheduler.total_steps=9", "scheduler.total_steps", 9),
        ("++scheduler.total_steps=9", "scheduler.total_steps", 9),
        ("+scheduler.pct_start=0.5", "scheduler.pct_start", 0.5),
        (
            "~scheduler.total_steps",
            "scheduler",
            {"_target_": STORED["scheduler"]["_target_"], "max_lr": "${optimizer.lr}"},
        ),
        ("~scheduler.never", "scheduler", STORED["scheduler"]),
        ("model.hidden=[32,16]", "model.hidden", [32, 16]),
        ("optimizer.groups={head: {lr: 1}}", "optimizer.groups", {"body": {"params": "body.*"}, "head": {"lr": 1}}),
        ("+optimizer.groups.head={lr: 1}", "optimizer.groups", {"body": {"params": "body.*"}, "head": {"lr": 1}}),
        ("optimizer.lr=1", "scheduler.max_lr", "${optimizer.lr}"),
        ("trainer.clip_norm=1", "trainer.clip_norm", 1.0),
        ("seed=7", "seed", 7),
        ("scheduler=cosine", "scheduler", COMPOSED["scheduler"]),
        ("logger=[csv]", "logger", {"csv": {}}),
        ("hydra.job.num=3", "seed", 3),
    ],
)
def test_one_override(override: str, key: str, value: object) -> None:
    found = as_written(composed(override))
    for name in key.split("."):
        found = found[name]
    assert found == value
    assert type(found) is type(value)


def test_values_below_a_choice_come_with_it() -> None:
    assert as_written(composed("scheduler=cosine", "+scheduler.final=0.5"))["scheduler"] == COMPOSED["scheduler"]


@pytest.mark.parametrize("override", ["scheduler.stp_size=4", "optimzer.lr=1", "trainer.epochs=many"])
def test_a_key_that_the_run_does_not_have(override: str) -> None:
    with pytest.raises(HydraException):
        composed(override)


def test_the_stored_config_stays() -> None:
    stored = OmegaConf.create(STORED)
    onto(stored, OmegaConf.create(COMPOSED), ["optimizer.lr=1", "scheduler=cosine"])
    assert as_written(stored) == STORED
