"""``trainer.compile``: calls of a model in training run as compiled code, by torch.compile."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.errors import ConfigError

KEY = "trainer.compile"

MOST_FORMS = 8
"""Shapes of a batch that are compiled: torch gives up at as many, without a word, and calls the model itself."""

REMEDY = "install a compiler (apt install g++ python3-dev), or leave it out"


def compile_training(model: nn.Module, batch_size: int) -> None:
    """Let a model run compiled in training, for whole batches; anything else calls it as before.

    The call is compiled, and not the module: names, ``state_dict``, copies and evaluations stay what they are. Each
    shape is compiled by itself, whatever came before, so that a resumed run has the bits of an undisturbed one.

    Args:
        model: it changes.
        batch_size: samples of a whole batch. The last one of an epoch, which is smaller, would cost a compilation.
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it misses CUDA's tools
    import torch._inductor.config as inductor  # a second or two

    if next(model.parameters()).device.type == "cpu":
        inductor.compile_threads = 1  # else a pool of processes stays
    eager: Callable[..., Any] = model._call_impl
    compiled: Callable[..., Any] = torch.compile(eager, dynamic=False)
    forms: set[tuple[torch.Size, ...]] = set()

    def call(*args: Any, **kwargs: Any) -> Any:
        form = tuple(item.shape for item in (*args, *kwargs.values()) if isinstance(item, Tensor))
        if not (model.training and torch.is_grad_enabled() and form and form[0][:1] == (batch_size,)):
            return eager(*args, **kwargs)
        if form not in forms:
            _first(forms, form)
        return compiled(*args, **kwargs)

    model._compiled_call_impl = call


def _first(forms: set[tuple[torch.Size, ...]], form: tuple[torch.Size, ...]) -> None:
    """Note a new shape.

    Raises:
        ConfigError: there are too many.
    """
    forms.add(form)
    if len(forms) > MOST_FORMS:
        rule = f"compiles each shape of a batch, and here come more than {MOST_FORMS}, as {_shown(form)}"
        raise ConfigError(KEY, True, rule, "bring all to one length, or leave it out")


def _shown(form: Iterable[torch.Size]) -> str:
    return ", ".join(str(list(shape)) for shape in form)


def check_compiler(device: torch.device) -> None:
    """Refuse to compile where nothing can.

    Raises:
        ConfigError: names what is missing.
    """
    if device.type == "mps":
        raise ConfigError(KEY, True, "is for the CPU and CUDA", "leave it out")
    if compiler() is None:
        raise ConfigError(KEY, True, f"needs a C++ compiler, and there is no {_name()}", REMEDY)


def _name() -> str:
    return os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")


def compiler() -> str | None:
    """The version of the compiler that torch takes, in a line; None: there is none."""
    path = shutil.which(_name())
    if path is None:
        return None
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.partition("\n")[0].strip()
