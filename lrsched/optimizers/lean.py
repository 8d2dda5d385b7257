"""Use torch's optimizers without their wrappers for torch.compile, in runs that compile nothing.

The wrappers have two costs, and an eager run gains nothing from either (torch 2.14, 2 cores, one thread):

- the first ``add_param_group``, ``state_dict``, ``load_state_dict``, ``zero_grad`` or ``step`` imports
  ``torch._dynamo``: 1.2 to 2 s at the start of every run;
- each ``step`` passes two Python wrappers, for hooks, profiler and graph breaks, and looks at every parameter to choose
  a kernel, though on a CPU there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.optim.optimizer as internals
from torch.optim import Optimizer

HIDDEN = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
"""The methods of an Optimizer that torch hides from its compiler, at the price of importing it."""

_MARK = "__dynamo_disable"


@contextmanager
def without_dynamo() -> Iterator[None]:
    """Build, save, load or zero an optimizer in this context without importing torch._dynamo.

    torch's wrapper calls the function in an attribute of the method, and imports the compiler to make
    it if there is none. In the context that attribute is the method itself; on exit it is removed.
    Does nothing if torch._dynamo is imported already.
    """
    marked: list[Any] = []
    if "torch._dynamo" not in sys.modules:
        methods = [getattr(getattr(Optimizer, name), "__wrapped__", None) for name in HIDDEN]
        marked = [method for method in methods if method is not None and not hasattr(method, _MARK)]
    for method in marked:
        setattr(method, _MARK, method)
    try:
        yield
    finally:
        for method in marked:
            delattr(method, _MARK)


def lean_step(optimizer: Optimizer) -> Callable[[], object]:
    """``optimizer.step`` without its wrappers: the same bits, faster.

    Call it once, after everything that may replace ``step`` (torch's LR schedulers do). It drops only
    wrappers that are known to do nothing: they are torch's own, the optimizer is not differentiable,
    and no hook is registered, which each step checks again. Otherwise it returns ``optimizer.step``
    itself. The only difference is that a profiler does not see the step by name.

    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.ones(2)
    >>> with without_dynamo():
    ...     optimizer = torch.optim.SGD([weight], lr=0.5)
    >>> lean_step(optimizer)()
    >>> weight.tolist()
    [0.5, 0.5]
    """
    try:
        bare = _bare_step(optimizer)
        hooks = (
            optimizer._optimizer_step_pre_hooks,
            optimizer._optimizer_step_post_hooks,
            internals._global_optimizer_pre_hooks,
            internals._global_optimizer_post_hooks,
        )
    except AttributeError:  # another version of torch
        return optimizer.step
    if bare is None:
        return optimizer.step
    attributes = vars(optimizer)
    if _one_kernel(optimizer):
        bare = _with_its_kernel(bare)

    def step() -> object:
        if any(hooks) or "step" in attributes:
            return optimizer.step()
        return bare(optimizer)

    return step


def _one_kernel(optimizer: Optimizer) -> bool:
    """Whether torch's choice among the kernels of its own optimizers can have one end alone.

    On a CPU it is always the loop over tensors, and torch chooses anew in each step.
    """
    on_cpu = all(p.device.type == "cpu" for group in optimizer.param_groups for p in group["params"])
    return on_cpu and type(optimizer).__module__.startswith("torch.optim.")


def _with_its_kernel(bare: Callable[[Optimizer], object]) -> Callable[[Optimizer], object]:
    """The step, which finds the loop over tensors chosen already; afterwards the groups say what they said before."""

    def step(optimizer: Optimizer) -> object:
        left_open = [group for group in optimizer.param_groups if group.get("foreach", False) is None]
        for group in left_open:
            group["foreach"] = False
        try:
            return bare(optimizer)
        finally:
            for group in left_open:
                group["foreach"] = None

    return step


def _bare_step(optimizer: Optimizer) -> Callable[[Optimizer], object] | None:
    """The class's step below torch's wrappers, or None if they do something or are unknown."""
    hooked: Any = type(optimizer).step
    if "step" in vars(optimizer) or not _made_by(Optimizer.profile_hook_step, hooked):
        return None
    inner = hooked.__wrapped__
    if not _made_by(internals._use_grad_for_differentiable, inner):
        return inner  # as its author wrote it: under torch.no_grad, or bare
    if optimizer.defaults["differentiable"]:
        return None
    return torch.no_grad()(inner.__wrapped__)


def _made_by(decorator: Callable[[Any], Any], function: Any) -> bool:
    """Whether ``decorator`` made ``function``: its functions all run one code object."""
    return getattr(function, "__code__", None) is decorator(lambda: None).__code__
