"""Schedules inside schedules, from a config: built from the same allowlist, complained of by their whole key."""

from __future__ import annotations

from typing import Any

import pytest

from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER
from lrsched.errors import ConfigError
from lrsched.schedules import Constant, Cosine, Noise, Product, Sequence


def node(name: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": f"lrsched.schedules.{name}", **arguments}


def test_nodes_become_schedules() -> None:
    parts = [
        {"length": "50%", "schedule": node("Constant")},
        {"length": "rest", "schedule": node("Noise", of=node("Cosine", final=0.5), seed=3)},
    ]
    built = component(SCHEDULER, node("Sequence", parts=parts), "scheduler").build()
    noise = Noise(of=Cosine(final=0.5), seed=3)
    assert built == Sequence(parts=[{"length": "50%", "schedule": Constant()}, {"length": "rest", "schedule": noise}])
    product = component(SCHEDULER, node("Product", factors=[node("Cosine")]), "scheduler").build()
    assert product == Product(factors=[Cosine()])


@pytest.mark.parametrize(
    ("nested", "said"),
    [
        (node("Linear", warmup="5"), "scheduler.parts[1].schedule.warmup=5: a duration carries its unit"),
        (node("Linear", warmup_start=-1), "scheduler.parts[1].schedule.warmup_start=-1: must be a number in [0, inf)"),
        (node("Linear", finl=1), "scheduler.parts[1].schedule.finl=1: Linear takes no such argument; did you mean"),
        (node("Linaer"), "scheduler.parts[1].schedule._target_=lrsched.schedules.Linaer: there is no Linaer"),
        (node("Noise"), "scheduler.parts[1].schedule.of=null: Noise needs this argument"),
        (node("Noise", of=node("Linear", past=3)), "scheduler.parts[1].schedule.of.past=3: must be one of hold, raise"),
        ({"_target_": "os.system"}, "scheduler.parts[1].schedule._target_=os.system: is not an allowed scheduler"),
        (
            {"_target_": "lrsched.schedulers.Plateau"},
            "scheduler.parts[1].schedule._target_=lrsched.schedulers.Plateau: is stepped as the run goes",
        ),
        (
            {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3},
            "scheduler.parts[1].schedule._target_=torch.optim.lr_scheduler.StepLR: is stepped as the run goes",
        ),
        ("cosine", "scheduler.parts[1].schedule: must be an open-loop schedule, not str"),
    ],
)
def test_the_whole_key_is_named(nested: Any, said: str) -> None:
    parts = [{"length": "50%", "schedule": node("Constant")}, {"length": "rest", "schedule": nested}]
    with pytest.raises(ConfigError) as caught:
        component(SCHEDULER, node("Sequence", parts=parts), "scheduler").build()
    assert said in str(caught.value)
