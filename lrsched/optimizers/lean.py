"""torch's optimizers without what torch.compile needs around them, for runs that compile nothing.

Two costs, neither of which buys an eager run anything (torch 2.14, 2 cores, one thread):

- the first ``add_param_group``, ``state_dict``, ``load_state_dict``, ``zero_grad`` or ``step`` imports
  ``torch._dynamo``: 1.2 to 2 s at the start of every run;
- each ``step`` passes two Python wrappers, for hooks, profiler and graph breaks.
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
    """Within it an optimizer can be built, saved, loaded and zeroed, and torch._dynamo is not imported for it.

    torch's wrapper keeps what it calls in place of the method in an attribute of the method, and
    imports the compiler to make one where there is none. Within the context that attribute is the
    method itself; afterwards it is gone again. Where torch._dynamo is already imported nothing is done.
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
    """``optimizer.step`` without its wrappers: the same bits, sooner.

    Ask for it once, after everything that may replace ``step`` (torch's LR schedulers do). The wrappers
    are left out only where they are known to do nothing: they are torch's own, the optimizer is not
    differentiable, and no hook is registered, which is looked at again in every step. Otherwise this
    is ``optimizer.step`` itself. Only the profiler can tell the difference: it does not see the step by name.

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
    except AttributeError:  # a torch that is built otherwise
        return optimizer.step
    if bare is None:
        return optimizer.step
    attributes = vars(optimizer)

    def step() -> object:
        if any(hooks) or "step" in attributes:
            return optimizer.step()
        return bare(optimizer)

    return step


def _bare_step(optimizer: Optimizer) -> Callable[[Optimizer], object] | None:
    """The class's step below torch's wrappers, or None where they do something or are not the known ones."""
    hooked: Any = type(optimizer).step
    if "step" in vars(optimizer) or not _made_by(Optimizer.profile_hook_step, hooked):
        return None
    inner = hooked.__wrapped__
    if not _made_by(internals._use_grad_for_differentiable, inner):
        return inner  # decorated by torch.no_grad, or not at all: as its author wrote it
    if optimizer.defaults["differentiable"]:
        return None
    return torch.no_grad()(inner.__wrapped__)


def _made_by(decorator: Callable[[Any], Any], function: Any) -> bool:
    """Whether ``function`` is what ``decorator`` makes of a function: both then run the same code object."""
    return getattr(function, "__code__", None) is decorator(lambda: None).__code__
