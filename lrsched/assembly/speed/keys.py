"""The keys of ``trainer`` that make an update faster: what they need, and what they set in this process."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from lrsched.assembly.speed.compiled import check_compiler, compiler
from lrsched.assembly.speed.malloc import can_keep, keep_memory, let_memory_go
from lrsched.config.schema import AUTO, SPEED
from lrsched.config.settings import Settings
from lrsched.errors import ConfigError


def plainly(run: Settings) -> Settings:
    """The settings with every ``auto`` at its default, for what is no run: a range test, a preview."""
    plain = {name: value for name, value in SPEED.items() if getattr(run.trainer, name) == AUTO}
    return replace(run, trainer=replace(run.trainer, **plain)) if plain else run


def with_kernel(run: Settings) -> Settings:
    """The settings with ``trainer.fused`` written into the optimizer.

    Raises:
        ConfigError: its class has no such kernel, or the optimizer's own keys say something else.
    """
    if not run.trainer.fused:
        return run
    node = run.optimizer
    if not takes_fused(node.cls):
        rule = f"{node.cls.__name__} has no kernel for the whole update"
        raise ConfigError("trainer.fused", True, rule, "leave it out, or take optimizer=sgd, adam, adamw or adagrad")
    if node.arguments.get("foreach"):
        raise ConfigError("trainer.fused", True, "optimizer.foreach=true is another way", "leave one of the two out")
    if node.arguments.get("fused") is False:
        raise ConfigError("trainer.fused", True, "optimizer.fused=false says no", "leave one of the two out")
    return replace(run, optimizer=replace(node, arguments={**node.arguments, "fused": True}))


def takes_fused(optimizer: type) -> bool:
    """Whether a class of optimizers has a kernel for the whole update: torch's own that know the word.

    >>> takes_fused(torch.optim.AdamW), takes_fused(torch.optim.Rprop)
    (True, False)
    """
    return optimizer.__module__.startswith("torch.optim") and "fused" in inspect.signature(optimizer).parameters


def set_up(run: Settings, device: torch.device, ends: ExitStack) -> None:
    """Set in this process what the keys ask for; before the data are loaded.

    Args:
        run: the settings.
        device: of the run.
        ends: puts back, as it is closed, what no setting of torch is.

    Raises:
        ConfigError: this machine cannot do it.
    """
    asked = run.trainer
    if asked.compile:
        check_compiler(device)
    if asked.tf32:
        if device.type != "cuda":
            rule = f"is an arithmetic of NVIDIA's GPUs, and this run is on {device.type}"
            raise ConfigError("trainer.tf32", True, rule, "leave it out, or give device=cuda")
        torch.set_float32_matmul_precision("high")
    if asked.keep_memory:
        if not can_keep():
            rule = "tells GNU's C library to keep memory, and here is another one"
            raise ConfigError("trainer.keep_memory", True, rule, "leave it out")
        keep_memory()
        ends.callback(let_memory_go)


def tools(run: Settings) -> Mapping[str, Any]:
    """What the bits of a run also depend on, for its fingerprint."""
    return {"compiler": compiler()} if run.trainer.compile else {}
