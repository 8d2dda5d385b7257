"""A state of another run is refused by name before anything live changes."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lrsched.errors import CheckpointError
from lrsched.schedulers import Table
from lrsched.schedules import Linear
from lrsched.train.state import RunState
from tests.train.test_update import HORIZON, loader, network, run


def trained(steps: int = 3, optimizer: str = "AdamW") -> RunState:
    """A run after some updates, with buffers in its optimizer and an evaluation behind it."""
    model = nn.Sequential(network(), nn.BatchNorm1d(3))
    state, update = run(model, loader())
    state.optimizer = getattr(torch.optim, optimizer)(model.parameters(), lr=0.1)
    state.scheduler = Table(state.optimizer, Linear(), HORIZON)
    for _ in range(steps):
        update(state)
    if steps:
        state.record_metrics({"val/loss": 1.0, "val/accuracy": 0.5})
    return state


def saved(state: RunState) -> dict[str, Any]:
    """The state as it comes back from a file."""
    buffer = io.BytesIO()
    torch.save(state.state_dict(), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        inner: Any = state
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


def drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        inner: Any = state
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return change


WEIGHT = "0.1.weight"
DAMAGE = [
    (drop("best"), "state lacks best"),
    (put("extra", value=1), "state has unknown items extra"),
    (put("step", value="3"), "step is a str, not a number"),
    (put("step", value=-1), "step -1 is no count"),
    (put("step", value=2.5), "step 2.5 is no count"),
    (put("metrics_bytes", value=-1), "metrics_bytes -1 is no count"),
    (put("model", value=None), "model is nothing in the checkpoint and a OrderedDict here"),
    (drop("model", WEIGHT), f"model lacks {WEIGHT}"),
    (put("model", WEIGHT, value=torch.zeros(8, 4)), r"model.0.1.weight is float32 \[8, 4\] in the checkpoint"),
    (put("model", WEIGHT, value=torch.zeros(8, 16).double()), r"is float64 \[8, 16\] in the checkpoint and float32"),
    (put("model", WEIGHT, value=[0.0]), "is a list, not a tensor"),
    (drop("model", "1.running_mean"), "model lacks 1.running_mean"),
    (put("optimizer", value=[]), "optimizer is a list"),
    (put("optimizer", "param_groups", value=[]), "optimizer.param_groups are not the 1 of this run"),
    (drop("optimizer", "param_groups", 0, "lr"), "optimizer.param_groups.0 lacks lr"),
    (put("optimizer", "param_groups", 0, "lr", value="0.1"), "optimizer.param_groups.0.lr is a str"),
    (put("optimizer", "param_groups", 0, "params", value=[0, 1]), "hold other parameters"),
    (put("optimizer", "state", value=[]), "optimizer.state is a list"),
    (put("optimizer", "state", 9, value={}), "optimizer.state.9 there are 6 parameters"),
    (put("optimizer", "state", 0, "exp_avg", value=torch.zeros(3)), r"optimizer.state.0.exp_avg \(3,\) is no shape"),
    (put("scheduler", value={"last": 3}), "scheduler has unknown items last"),
    (drop("early", "since"), "early lacks since"),
    (put("best", "since", value="x"), "best.since is a str"),
    (put("best_weights", value={}), "best_weights lacks"),
    (put("window", "total", value=torch.zeros(2).double()), "window.total is"),
    (drop("generators", "torch"), "generators lacks torch"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message for _, message in DAMAGE])
def test_what_does_not_fit_is_named_and_touches_nothing(damage: Any, message: str) -> None:
    state = saved(trained())
    damage(state)
    live = trained(steps=1)
    before = copy.deepcopy(live.state_dict())
    with pytest.raises(CheckpointError, match=message):
        live.load_state_dict(state)
    after = live.state_dict()
    assert str(after) == str(before)  # every number of these small tensors is printed
    assert all(torch.equal(after["model"][name], before["model"][name]) for name in before["model"])


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "Adafactor", "NAdam", "RMSprop", "Adadelta", "Adagrad"])
def test_every_optimizers_own_state_fits(optimizer: str) -> None:
    state = trained(optimizer=optimizer)
    fresh = trained(steps=0, optimizer=optimizer)
    fresh.load_state_dict(saved(state))
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(fresh.model.state_dict()[name], tensor)
    assert (fresh.step, fresh.best.step, fresh.best.metrics) == (3, 3, {"val/loss": 1.0, "val/accuracy": 0.5})
    assert str(fresh.optimizer.state_dict()) == str(state.optimizer.state_dict())
