"""The YAML of a class of PyTorch's holds the class's own defaults, so that nobody is surprised who knows it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "conf" / "scheduler" / "torch").glob("*.yaml"))
LENGTHS = ("T_max", "total_iters", "total_steps")
"""Arguments for which ``auto`` is the run's length."""


def taken(file: Path) -> tuple[type, dict[str, Any]]:
    """The class that a YAML names, and the arguments that it gives."""
    node = yaml.safe_load(file.read_text("utf-8"))
    cls = getattr(torch.optim.lr_scheduler, node["_target_"].rpartition(".")[2], torch.optim.swa_utils.SWALR)
    assert f"{cls.__module__}.{cls.__name__}" == node["_target_"]
    reserved = ("_target_", "interval", "monitor", "defaults")
    return cls, {name: value for name, value in node.items() if name not in reserved}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_an_argument_has_the_default_of_the_class(file: Path) -> None:
    cls, arguments = taken(file)
    parameters = inspect.signature(cls).parameters
    for name, value in arguments.items():
        default = parameters[name].default
        if default is inspect.Parameter.empty or (value == "auto" and name in LENGTHS):
            continue
        assert value == default, f"{file.stem}: {name}"
        assert type(value) in (type(default), int, float)


def test_every_class_of_pytorch_has_a_file() -> None:
    base = torch.optim.lr_scheduler.LRScheduler
    module = torch.optim.lr_scheduler
    classes = {name for name, it in vars(module).items() if isinstance(it, type) and issubclass(it, base)}
    assert {file.stem for file in FILES} == classes - {"LRScheduler", "_LRScheduler"} | {"SWALR"}
