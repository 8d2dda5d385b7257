"""Every group keeps its share of optimizer.lr under every class of PyTorch's, as a bare loop that scales by hand."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from lrsched.assembly.kinds import spec_of
from lrsched.assembly.param_groups import parameter_groups
from lrsched.assembly.scheduler import build_scheduler
from lrsched.assembly.simulate import simulate
from lrsched.config.schema import ParameterGroup
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler
from tests.helpers.cli import TINY

RUN = Horizon(steps=18, steps_per_epoch=3)
BASE = 0.1
HOME = "torch.optim.lr_scheduler."

CLASSES: dict[str, dict[str, Any]] = {
    "LambdaLR": {"lr_lambda": "0.9 ** t"},
    "MultiplicativeLR": {"lr_lambda": "0.95"},
    "StepLR": {"step_size": 4, "gamma": 0.5},
    "MultiStepLR": {"milestones": [3, 9]},
    "ConstantLR": {"factor": 0.3, "total_iters": 4},
    "LinearLR": {"start_factor": 0.1, "total_iters": 7},
    "ExponentialLR": {"gamma": 0.87},
    "PolynomialLR": {"total_iters": 11, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 6, "eta_min": 0.02},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2, "eta_min": 0.02},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 3, "mode": "triangular2"},
    "OneCycleLR": {"max_lr": 0.4, "total_steps": 18, "final_div_factor": 20.0},
    "ReduceLROnPlateau": {"factor": 0.3, "patience": 1, "min_lr": 0.005},
    "SWALR": {"swa_lr": 0.05, "anneal_epochs": 5},
    "SequentialLR": {
        "schedulers": [
            {"_target_": HOME + "LinearLR", "start_factor": 0.1, "total_iters": 4},
            {"_target_": HOME + "CosineAnnealingLR", "T_max": 9, "eta_min": 0.01},
        ],
        "milestones": [4],
    },
    "ChainedScheduler": {
        "schedulers": [
            {"_target_": HOME + "ConstantLR", "factor": 0.1, "total_iters": 2},
            {"_target_": HOME + "CosineAnnealingLR", "T_max": 20, "eta_min": 0.01},
        ]
    },
}

GROUPS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "layer_decay": ({"layer_decay": 0.7}, {"layer0": 0.7**2, "layer1": 0.7, "layer2": 1.0}),
    "lr_scale": ({"named": {"head": ParameterGroup(params="2.*", lr_scale=3.0)}}, {"default": 1.0, "head": 3.0}),
    "lr_0": ({"named": {"body": ParameterGroup(params="0.*", lr=0.0)}}, {"default": 1.0, "body": 0.0}),
    "two_rates": (
        {"named": {"a": ParameterGroup(params="0.*", lr=0.02), "b": ParameterGroup(params="1.*", lr=0.25)}},
        {"default": 1.0, "a": 0.2, "b": 2.5},
    ),
}


def node(name: str, interval: str = "step", **changed: Any) -> dict[str, Any]:
    home = "torch.optim.swa_utils." if name == "SWALR" else HOME
    interval = "evaluation" if name == "ReduceLROnPlateau" else interval
    return {"_target_": home + name, **CLASSES[name], "interval": interval, **changed}


def optimizer(kind: str | None = None) -> torch.optim.Optimizer:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    chosen: dict[str, Any] = {} if kind is None else GROUPS[kind][0]
    return torch.optim.SGD(parameter_groups(model, spare=False, rate=BASE, **chosen), lr=BASE, momentum=0.9)


def made(config: Mapping[str, Any], o: torch.optim.Optimizer, run: Horizon = RUN) -> Scheduler:
    return build_scheduler(spec_of(component(SCHEDULER, config, "scheduler")), o, run, run.steps)


def course(config: Mapping[str, Any], o: torch.optim.Optimizer) -> dict[str, list[tuple[float, float]]]:
    """The rate and the momentum of each update, by group; an evaluation after each never improves."""
    seen: dict[str, list[tuple[float, float]]] = {group.get("name", "default"): [] for group in o.param_groups}
    for _ in simulate(made(config, o), o, range(RUN.steps), every=1):
        for group, values in zip(o.param_groups, seen.values(), strict=True):
            values.append((group["lr"], group["momentum"]))
    return seen


def bare(name: str, interval: str) -> list[tuple[float, float]]:
    """What PyTorch's documentation writes, for one group at optimizer.lr."""
    o = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE, momentum=0.9)

    def build(name: str, arguments: Mapping[str, Any]) -> Any:
        arguments = dict(arguments)
        if "schedulers" in arguments:
            arguments["schedulers"] = [
                build(child["_target_"].rpartition(".")[2], {k: v for k, v in child.items() if k != "_target_"})
                for child in arguments["schedulers"]
            ]
        if "lr_lambda" in arguments:
            arguments["lr_lambda"] = eval("lambda t: " + arguments["lr_lambda"])
        return SWALR(o, **arguments) if name == "SWALR" else getattr(lr_scheduler, name)(optimizer=o, **arguments)

    scheduler, seen = build(name, CLASSES[name]), []
    for s in range(RUN.steps):
        seen.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        o.step()
        if name == "ReduceLROnPlateau":
            scheduler.step(1.0)
        elif interval == "step" or (s + 1) % RUN.steps_per_epoch == 0:
            scheduler.step()
    return seen


@pytest.mark.parametrize("interval", ["step", pytest.param("epoch", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("name", CLASSES)
def test_every_group_keeps_its_share_under_every_class(name: str, kind: str, interval: str) -> None:
    expected = bare(name, interval)
    seen = course(node(name, interval), optimizer(kind))
    assert seen.keys() == GROUPS[kind][1].keys()
    for group, share in GROUPS[kind][1].items():
        rates, momenta = zip(*seen[group], strict=True)
        assert rates == pytest.approx([share * rate for rate, _ in expected], rel=1e-12, abs=0)
        assert list(momenta) == [momentum for _, momentum in expected]
        if share == 1:
            assert list(rates) == [rate for rate, _ in expected]  # to the last bit


@pytest.mark.parametrize("name", CLASSES)
def test_without_groups_of_their_own_every_bit_stays(name: str) -> None:
    assert course(node(name), optimizer())["default"] == bare(name, "step")


@pytest.mark.slow
@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("name", CLASSES)
def test_a_resumed_run_keeps_the_shares(name: str, kind: str) -> None:
    whole = course(node(name), optimizer(kind))
    first = optimizer(kind)
    scheduler = made(node(name), first)
    for _ in simulate(scheduler, first, range(7), every=1):
        pass
    scheduler.observe(7, {"val/loss": 1.0, "val/accuracy": 1.0})
    saved = copy.deepcopy((first.state_dict(), scheduler.state_dict()))
    second = optimizer(kind)
    resumed = made(node(name), second)
    second.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    for s in range(7, RUN.steps):
        resumed.set(s)
        assert [group["lr"] for group in second.param_groups] == [values[s][0] for values in whole.values()]
        resumed.observe(s + 1, {"val/loss": 1.0})


@pytest.mark.parametrize("name", ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"])
def test_a_run_of_0_1_0_with_one_floor_for_all_goes_on_as_it_began(name: str) -> None:
    o = optimizer("two_rates")
    old = getattr(lr_scheduler, name)(o, **CLASSES[name])
    state = {"inner": copy.deepcopy(old.state_dict()), "applied": 0}
    new = optimizer("two_rates")
    resumed = made(node(name), new)
    resumed.load_state_dict(state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for s in range(1, RUN.steps):
            old.step()
            resumed.set(s)
            assert [group["lr"] for group in new.param_groups] == [group["lr"] for group in o.param_groups]


def test_a_list_gives_each_group_its_own_rate() -> None:
    seen = course(node("OneCycleLR", max_lr=[0.3, 0.2], div_factor=10.0), optimizer("lr_scale"))
    assert [values[0][0] for values in seen.values()] == pytest.approx([0.03, 0.02], rel=1e-15)


def test_adam_cycles_its_first_beta_in_every_group() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    groups = parameter_groups(model, spare=False, rate=BASE, named={"body": ParameterGroup(params="0.*", lr=0.0)})
    o = torch.optim.Adam(groups, lr=BASE, betas=(0.9, 0.99))
    for _ in simulate(made(node("OneCycleLR"), o), o, range(RUN.steps), every=1):
        assert o.param_groups[0]["betas"] == o.param_groups[1]["betas"]
        assert min(group["lr"] for group in o.param_groups) == 0


def test_a_share_of_no_rate_is_refused() -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.0, 0.1)]
    o = torch.optim.SGD(groups, lr=0.0, momentum=0.9)
    assert made(node("StepLR"), o).moves == ("lr",)
    with pytest.raises(ConfigError, match="its share of 0 is not known"):
        made(node("OneCycleLR"), o)


FOREIGN = """
from torch.optim.lr_scheduler import CyclicLR, LRScheduler


class Fixed(LRScheduler):
    def get_lr(self):
        return [0.03 for _ in self.base_lrs]


class Halved(LRScheduler):
    def get_lr(self):
        return [base / 2**self.last_epoch for base in self.base_lrs]


class Waves(CyclicLR):
    pass
"""


def test_a_foreign_class_that_loses_a_share_is_refused(run_cli, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shareless.py").write_text(FOREIGN, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", "shareless")
    run = (*TINY, "name=run", "trainer.epochs=1", "~scheduler", "++scheduler.interval=step", "optimizer=sgd")
    groups = "+optimizer.groups={body: {params: 'body.*', lr_scale: 0.1}}"
    lost = run_cli(*run, groups, "+scheduler._target_=shareless.Fixed")
    assert (lost.code, (tmp_path / "outputs/run").exists()) == (2, False)
    assert "its own rate is lost" in lost.err
    assert run_cli(*run, "+scheduler._target_=shareless.Fixed").code == 0
    kept = run_cli(*run, groups, "+scheduler._target_=shareless.Halved", "name=halved")
    assert kept.code == 0, kept.err
    waves = run_cli(
        *run, groups, "+scheduler._target_=shareless.Waves", "+scheduler.base_lr=0.01", "+scheduler.max_lr=0.1",
        "+scheduler.step_size_up=2", "+scheduler.cycle_momentum=false", "name=waves", "trainer.log_every=1st",
    )  # fmt: skip
    assert waves.code == 0, waves.err
    rows = [row for row in waves.rows("waves") if "lr/body" in row]
    assert [row["lr/body"] for row in rows] == pytest.approx([0.1 * row["lr/default"] for row in rows], rel=1e-12)


def test_the_frozen_group_of_one_cycle_stays_frozen(run_cli) -> None:
    ended = run_cli(
        "scheduler=torch/OneCycleLR", "+optimizer.groups={body: {params: 'body.*', lr: 0.0}}", "name=run",
        "trainer.epochs=1", "trainer.progress=false", "logger=none", "trainer.log_every=1st",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    rates = [row["lr/body"] for row in ended.rows() if "lr/body" in row]
    assert len(rates) == 21
    assert set(rates) == {0.0}
    assert math.isclose(max(row["lr/default"] for row in ended.rows() if "lr/default" in row), 0.1, rel_tol=0.05)


@pytest.mark.parametrize("eps", [1e-8, 0.003])
@pytest.mark.parametrize("kind", GROUPS)
def test_a_plateau_leaves_out_small_cuts_in_every_group_at_once(kind: str, eps: float) -> None:
    # From 0.1 by halves: 0.1, 0.05, 0.025, …; the cut from 0.00625 is of 0.003125, the next is smaller than 0.003.
    config = {
        "_target_": HOME + "ReduceLROnPlateau",
        "factor": 0.5,
        "patience": 0,
        "eps": eps,
        "interval": "evaluation",
    }
    o = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE, momentum=0.9)
    plateau, expected = lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=0, eps=eps), []
    for _ in range(RUN.steps):
        expected.append(o.param_groups[0]["lr"])
        plateau.step(1.0)
    assert (expected[-1] == expected[-2]) == (eps == 0.003 or RUN.steps > 30)
    seen = course(config, optimizer(kind))
    for group, share in GROUPS[kind][1].items():
        rates = [rate for rate, _ in seen[group]]
        assert rates == pytest.approx([share * rate for rate in expected], rel=1e-12, abs=0)
        if share == 1:
            assert rates == expected  # to the last bit


def test_a_plateaus_state_of_0_1_0_keeps_its_eps() -> None:
    config = {"_target_": HOME + "ReduceLROnPlateau", "factor": 0.5, "patience": 0, "interval": "evaluation"}
    inner: Any = made(config, optimizer("lr_scale")).inner  # type: ignore[attr-defined]
    assert inner.own_eps == pytest.approx([1e-8, 3e-8], rel=1e-12)
    state = inner.state_dict()
    inner.load_state_dict(state)
    assert inner.own_eps == pytest.approx([1e-8, 3e-8], rel=1e-12)
    del state["own_eps"]
    inner.load_state_dict(state)
    assert inner.own_eps == [1e-8, 1e-8]
