"""The table scheduler: other values, groups that come later, restored optimizers, tensors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adafactor, AdamW, Optimizer

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.optimizers import Muon
from lrsched.schedulers import Table
from lrsched.schedules import Constant, Cosine, Linear, OneCycle, Step

RUN = Horizon(steps=8)
HALF = Step(every="4st", gamma=0.5)  # 1 for four updates, then 0.5


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(1))


def adam(lr: Any = 0.1) -> AdamW:
    return AdamW([weight()], lr=lr, betas=(0.8, 0.96), weight_decay=0.02, foreach=False)


def test_any_number_of_a_group_moves_by_its_name() -> None:
    also = {"weight_decay": "same", "momentum": HALF, "beta2": HALF, "eps": HALF}
    optimizer = adam()
    table = Table(optimizer, Linear(also=also), RUN)
    (group,) = optimizer.param_groups
    assert table.moves == ("lr", "beta2", "eps", "momentum", "weight_decay")
    table.set(3)
    assert (group["lr"], group["weight_decay"]) == (0.1 * (5 / 8), 0.02 * (5 / 8))
    assert (group["betas"], group["eps"]) == ((0.8, 0.96), 1e-8)
    table.set(4)
    assert (group["betas"], group["eps"]) == ((0.4, 0.48), 0.5e-8)


def test_the_items_of_any_tuple_are_numbered_from_1() -> None:
    optimizer = Adafactor([weight()], lr=0.1, eps=(1e-30, 1e-3))
    Table(optimizer, Constant(also={"eps2": HALF}), RUN).set(4)
    assert optimizer.param_groups[0]["eps"] == (1e-30, 0.5e-3)


def test_momentum_is_the_first_beta_where_there_is_no_other() -> None:
    one, other = adam(), SGD([weight()], lr=0.1, momentum=0.9)
    for optimizer in (one, other):
        Table(optimizer, OneCycle(momentum=(0.85, 0.95)), RUN).set(0)
    assert one.param_groups[0]["betas"] == (0.95, 0.96)
    assert other.param_groups[0]["momentum"] == 0.95


@pytest.mark.parametrize(
    ("optimizer", "schedule", "message"),
    [
        (adam(), Linear(also={"weight_decy": HALF}), r"also.weight_decy: .* 'default' does not have; did you mean 'w"),
        (
            adam(),
            Linear(also={"amsgrad": HALF}),
            r"also.amsgrad: the schedule moves amsgrad, which the parameter group",
        ),
        (adam(), Linear(also={"momentum": HALF, "beta1": HALF}), r"also.momentum: two names for one value of group"),
        (adam(), Linear(groups={"head": HALF}), r"groups.head: matches no parameter group; known are: default"),
    ],
)
def test_mistakes_come_before_the_first_update(optimizer: Optimizer, schedule: Linear, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Table(optimizer, schedule, RUN)


def test_each_group_has_its_schedule_and_its_base_values() -> None:
    groups = [{"params": [weight()], "lr": lr, "name": name} for lr, name in ((0.1, "body"), (0.4, "head"))]
    optimizer = SGD(groups, weight_decay=0.5)
    schedule = Linear(groups={"he.d": Constant(also={"weight_decay": HALF})})
    table = Table(optimizer, schedule, RUN)
    table.set(6)
    body, head = optimizer.param_groups
    assert table.moves == ("lr", "weight_decay")
    assert (body["lr"], body["weight_decay"]) == (0.1 * 0.25, 0.5)
    assert (head["lr"], head["weight_decay"]) == (0.4, 0.25)


def test_muon_has_both_kinds_of_momentum() -> None:
    optimizer = Muon([{"params": torch.nn.Linear(3, 2).parameters(), "name": "default"}], lr=0.1)
    Table(optimizer, Linear(also={"momentum": HALF}), RUN).set(4)
    muon, rest = optimizer.param_groups
    assert (muon["momentum"], rest["betas"]) == (0.95 * 0.5, (0.9 * 0.5, 0.999))


def test_trap_13_a_group_added_later_follows_from_the_current_step() -> None:
    optimizer = SGD([weight()], lr=0.1)
    table = Table(optimizer, Linear(), RUN)
    table.set(2)
    optimizer.add_param_group({"params": [weight()], "lr": 0.4})
    table.set(2)  # the update is tried again: the rate that was given is the one in force
    assert [group["lr"] for group in optimizer.param_groups] == [0.1 * 0.75, 0.4]
    assert optimizer.param_groups[1]["initial_lr"] == 0.4 / 0.75
    table.set(4)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.4 / 0.75 * 0.5]


@pytest.mark.parametrize("order", ["bo", "ob"])
@pytest.mark.parametrize("later", [False, True])
def test_a_restored_optimizer_scales_the_base_values_and_never_the_scheduled_ones(order: str, later: bool) -> None:
    """b: the table is built, o: the optimizer's state is loaded. There is nothing else to load."""
    schedule = Cosine(also={"weight_decay": "same", "momentum": HALF})

    def fresh() -> AdamW:
        optimizer = adam()
        if later:
            optimizer.add_param_group({"params": [weight()], "lr": 0.4, "weight_decay": 0.3})
        return optimizer

    straight = adam()
    table = Table(straight, schedule, RUN)
    for s in range(6):
        if later and s == 1:
            straight.add_param_group({"params": [weight()], "lr": 0.4, "weight_decay": 0.3})
        table.set(s)
    saved = copy.deepcopy(straight.state_dict())
    table.set(6)

    optimizer = fresh()
    for move in order:
        if move == "o":
            optimizer.load_state_dict(saved)
        else:
            resumed = Table(optimizer, schedule, RUN)
    resumed.set(6)
    for one, other in zip(optimizer.param_groups, straight.param_groups, strict=True):
        assert [one[key] for key in ("lr", "weight_decay", "betas")] == [
            other[key] for key in ("lr", "weight_decay", "betas")
        ]


def test_the_config_wins_over_the_base_values_of_a_checkpoint() -> None:
    """A rate that a person changed on purpose for a run that goes on."""
    old = adam(0.1)
    Table(old, Linear(), RUN).set(5)
    new = adam(0.2)
    table = Table(new, Linear(), RUN)
    new.load_state_dict(old.state_dict())
    table.set(6)
    (group,) = new.param_groups
    assert (group["lr"], group["initial_lr"]) == (0.05, 0.2)


def test_trap_15_a_tensor_is_filled_in_place() -> None:
    rate = torch.tensor(0.5, dtype=torch.float64)
    optimizer = adam(rate)
    table = Table(optimizer, Linear(), RUN)
    for s in range(8):
        table.set(s)
        assert optimizer.param_groups[0]["lr"] is rate
        assert rate.item() == 0.5 * (1 - s / 8)


def test_fifty_groups_share_one_curve() -> None:
    """Fifty base values, the memory of one column."""
    groups = [{"params": [weight()], "lr": 0.1 * 0.9**i} for i in range(50)]
    table = Table(SGD(groups), Cosine(), RUN)
    ((curve, members),) = table._rows._curves
    assert (len(curve), len(members)) == (8, 50)
    apart = Table(SGD(groups[:3]), Cosine(final={"absolute": 1e-3}), RUN)
    assert len(apart._rows._curves) == 3
