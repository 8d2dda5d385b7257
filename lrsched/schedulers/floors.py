"""PyTorch's classes with a number for each parameter group, where theirs is one for all."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any


@contextmanager
def _alone(scheduler: Any, group: dict[str, Any], **own: Any) -> Generator[None]:
    """Let a scheduler see one parameter group, with attributes that hold for it, as if it were the only one."""
    attributes = vars(scheduler)
    whole = {name: attributes[name] for name in ("optimizer", *own)}
    attributes.update(own, optimizer=SimpleNamespace(param_groups=[group]))
    try:
        yield
    finally:
        attributes.update(whole)


class OwnFloors:
    """Gives each group an ``eta_min`` of its own; mixed into one of PyTorch's cosines by :func:`with_floors`."""

    floors: list[float]
    optimizer: Any
    base_lrs: list[Any]
    eta_min: float

    def get_lr(self) -> list[Any]:
        """The rates, each computed by the class itself as if its group were the only one."""
        rates: list[Any] = []
        for group, base, floor in zip(self.optimizer.param_groups, self.base_lrs, self.floors, strict=True):
            with _alone(self, group, base_lrs=[base], eta_min=floor):
                rates += super().get_lr()  # type: ignore[misc]
        return rates

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "floors": list(self.floors)}  # type: ignore[misc]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state; one without floors is of lrsched 0.1.0, whose run goes on as it began."""
        super().load_state_dict({"floors": [state["eta_min"]] * len(self.floors), **state})  # type: ignore[misc]


def with_floors(cls: type, floors: Sequence[float]) -> type:
    """A cosine of PyTorch's that anneals group i to ``floors[i]``."""
    return type(cls.__name__, (OwnFloors, cls), {"floors": list(floors), "__module__": cls.__module__})


class OwnEps:
    """Gives each group an ``eps`` of its own; mixed into a ReduceLROnPlateau by :func:`with_eps`."""

    own_eps: list[float]
    optimizer: Any
    min_lrs: list[float]
    eps: float

    def _reduce_lr(self, epoch: int) -> None:
        """Cut the rates, each by the class itself as if its group were the only one."""
        groups = self.optimizer.param_groups
        if not len(groups) == len(self.min_lrs) == len(self.own_eps):
            super()._reduce_lr(epoch)  # type: ignore[misc]  # groups were added
            return
        for group, floor, eps in zip(groups, self.min_lrs, self.own_eps, strict=True):
            with _alone(self, group, min_lrs=[floor], eps=eps):
                super()._reduce_lr(epoch)  # type: ignore[misc]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "own_eps": list(self.own_eps)}  # type: ignore[misc]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state; in one of lrsched 0.1.0 all groups have the same eps, and its run goes on as it began."""
        super().load_state_dict({"own_eps": [state["eps"]] * len(self.own_eps), **state})  # type: ignore[misc]


def with_eps(cls: type, own_eps: Sequence[float]) -> type:
    """A ReduceLROnPlateau that leaves out a cut of group i that is smaller than ``own_eps[i]``."""
    return type(cls.__name__, (OwnEps, cls), {"own_eps": list(own_eps), "__module__": cls.__module__})
