"""Refuse configs that would not fit in memory, naming the key responsible."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from lrsched.config.blame import is_out_of_memory
from lrsched.config.component import Component
from lrsched.config.walk import leaves
from lrsched.errors import ConfigError, Stopped

DRAWS = ("normal_", "uniform_", "exponential_", "log_normal_", "cauchy_", "geometric_")
"""Methods that fill a tensor with numbers drawn."""


MODULES = 100_000
"""Most modules of a model. Networks have hundreds or thousands: with more, an update would take minutes."""


class Unfilled(TorchFunctionMode):
    """Leaves the numbers of a model alone that is built on the meta device: without memory there are none.

    To draw them there, torch would import its compiler, which takes seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init" or getattr(func, "__name__", "") in DRAWS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


class TooManyModules(Exception):
    """A model has more modules than any that can be trained."""


@contextmanager
def few_modules(node: Component[Any]) -> Iterator[None]:
    """Around the building of a model, which may never end: refuse one of more modules than :data:`MODULES`.

    Raises:
        ConfigError: it has more; names the largest number in the node.
    """
    made = 0

    def count(parent: nn.Module, name: str, module: nn.Module | None) -> None:
        nonlocal made
        made += 1
        if made > MODULES:
            raise TooManyModules

    hook = register_module_module_registration_hook(count)
    try:
        yield
    except TooManyModules as error:
        raise _too_large(node, f"makes a model of more than {MODULES:,} layers") from error
    finally:
        hook.remove()


@contextmanager
def enough_for(node: Component[Any]) -> Iterator[None]:
    """Around the building of what a node describes.

    Raises:
        ConfigError: there was not enough memory; names the largest number in the node.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ConfigError) as error:
        if not is_out_of_memory(error):  # the message of a class that cannot be built quotes the reason
            raise
        raise _too_large(node, "makes it need more memory than there is") from error


def check_model_fits(node: Component[None], facts: Mapping[str, Any]) -> None:
    """Refuse a model whose weights and gradients are more than the machine's memory.

    It is built without memory first, on the meta device: where memory is promised before it is there, the
    kernel would kill the process that uses it.
    """
    try:
        with few_modules(node), torch.device("meta"), Unfilled():
            model = node.build_for(facts)
    except Stopped:
        raise
    except ConfigError as error:
        if isinstance(error.__cause__, TooManyModules):
            raise
        return  # the model itself will say so
    except Exception:  # a model that cannot be built like this may be a good one
        return
    needed, there = 2 * sum(p.numel() * p.element_size() for p in model.parameters() if not is_lazy(p)), memory()
    if needed > there:
        rule = f"makes weights and gradients of {needed / 2**30:.3g} GiB, and this machine has {there / 2**30:.3g} GiB"
        raise _too_large(node, rule)


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or the container's."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no container, or one without a bound
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return found


def _too_large(node: Component[Any], rule: str) -> ConfigError:
    found = leaves(node.arguments, node.key)
    numbers = {name: value for name, value in found if type(value) in (int, float)}
    if not numbers:
        return ConfigError(node.key, node.target, rule)
    largest = max(numbers, key=lambda name: numbers[name])
    return ConfigError(largest, numbers[largest], rule, "give a smaller number")
