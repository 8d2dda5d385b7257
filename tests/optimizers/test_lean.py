"""Lean means less work for the same bits, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import StepLR
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from lrsched.optimizers.lean import HIDDEN, lean_step, without_dynamo

ROOT = Path(__file__).parents[2]


def parameter() -> torch.nn.Parameter:
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return weight


def test_the_same_bits_for_every_optimizer(name: str, lab) -> None:
    usual, lean = lab.net(), lab.net()
    lab.train(usual, lab.build(name, usual).step)
    optimizer = lab.build(name, lean)
    step = lean_step(optimizer)
    assert step != optimizer.step, "the wrappers of this torch are the known ones"
    lab.train(lean, step)
    assert lab.same(lean, usual)
    assert not lab.same(lean, lab.net())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("options", [{"fused": True}, {"foreach": True}])
def test_the_same_bits_for_other_kernels(options: dict[str, Any], lab) -> None:
    usual, lean = lab.net(), lab.net()
    lab.train(usual, lab.build("adamw", usual, **options).step)
    lab.train(lean, lean_step(lab.build("adamw", lean, **options)))
    assert lab.same(lean, usual)


def test_updates_are_not_recorded_for_backward() -> None:
    weight = parameter()
    lean_step(SGD([weight], lr=0.5))()
    assert weight.grad_fn is None
    assert weight.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("register", ["instance", "everywhere"])
@pytest.mark.parametrize("when", ["pre", "post"])
def test_a_hook_is_called_however_late_it_comes(register: str, when: str) -> None:
    optimizer, called = SGD([parameter()], lr=0.5), []
    step = lean_step(optimizer)
    step()
    registers: dict[str, Callable[..., Any]] = {
        "instance/pre": optimizer.register_step_pre_hook,
        "instance/post": optimizer.register_step_post_hook,
        "everywhere/pre": register_optimizer_step_pre_hook,
        "everywhere/post": register_optimizer_step_post_hook,
    }
    handle = registers[f"{register}/{when}"](lambda *_: called.append(True))
    try:
        step()
        lean_step(optimizer)()
    finally:
        handle.remove()
    step()
    assert len(called) == 2


def test_a_replaced_step_is_the_one_that_is_called() -> None:
    """torch's LR schedulers replace it, to warn when they are stepped first."""
    optimizer = SGD([parameter()], lr=0.5)
    before = lean_step(optimizer)
    scheduler = StepLR(optimizer, 1)
    assert lean_step(optimizer) == optimizer.step
    before()
    scheduler.step()  # would warn, had the optimizer's own step not been seen


def test_a_differentiable_optimizer_keeps_its_wrappers() -> None:
    optimizer = SGD([parameter()], lr=0.5, differentiable=True)
    assert lean_step(optimizer) == optimizer.step


def test_a_wrapped_class_keeps_its_wrapper() -> None:
    """A patched step of a class is used."""
    calls = []

    class Patched(SGD):
        pass

    optimizer = Patched([parameter()], lr=0.5)
    inner = Patched.step

    def patched(self: Patched, closure: Any = None) -> Any:
        calls.append(True)
        return inner(self, closure)

    patched.hooked = True
    Patched.step = patched
    step = lean_step(optimizer)
    assert step == optimizer.step
    step()
    assert calls == [True]


def test_an_optimizer_of_ones_own_runs_as_it_is_written() -> None:
    class Sign(Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for param in group["params"]:
                    param.sub_(group["lr"] * param.grad.sign())

    weight = parameter()
    lean_step(Sign([weight], lr=0.25))()
    assert weight.tolist() == [0.75, 0.75]


def test_no_compiler_is_imported_and_no_mark_is_left() -> None:
    """In a fresh process: AdamW inherits its step, Muon has two optimizers inside, SGD is the plain case."""
    code = """
import sys
import torch
from lrsched.optimizers import Muon
from lrsched.optimizers.lean import HIDDEN, lean_step, without_dynamo

for make in (torch.optim.SGD, torch.optim.AdamW, Muon):
    layer = torch.nn.Linear(3, 2)
    with without_dynamo():
        optimizer = make(layer.parameters(), lr=0.1)
    step = lean_step(optimizer)
    for _ in range(2):
        layer(torch.ones(3)).sum().backward()
        step()
        with without_dynamo():
            optimizer.zero_grad()
    with without_dynamo():
        optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
for name in HIDDEN:
    assert not hasattr(getattr(torch.optim.Optimizer, name).__wrapped__, "__dynamo_disable"), name
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_where_the_compiler_is_there_nothing_is_touched() -> None:
    AdamW([parameter()])
    assert "torch._dynamo" in sys.modules
    with without_dynamo():
        Adam([parameter()])
    for name in HIDDEN:
        method = getattr(Optimizer, name).__wrapped__
        assert getattr(method, "__dynamo_disable", None) is not method


def test_a_mark_is_removed_after_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    for name in HIDDEN:
        monkeypatch.delattr(getattr(Optimizer, name).__wrapped__, "__dynamo_disable", raising=False)
    with pytest.raises(ValueError, match="learning rate"), without_dynamo():
        SGD([parameter()], lr=-1.0)
    for name in HIDDEN:
        assert not hasattr(getattr(Optimizer, name).__wrapped__, "__dynamo_disable")
