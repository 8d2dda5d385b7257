"""Tools for numbers that are not finite: find them exactly, find them cheaply, undo what they did.

``update``, ``evaluate`` and ``recovery`` raise :class:`NotFinite`; ``ended.ended_by`` calls such a run diverged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

NEVER = torch.iinfo(torch.int64).max


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every element is a finite number; the host waits for the device.

    A sum that contains an infinity or a NaN is not finite, so a finite sum is proof, at one read of the
    memory. A sum of finite numbers may overflow too: only then look at each element.

    >>> all_finite([torch.tensor([3e38, 3e38]), torch.ones(2)])
    True
    >>> all_finite([torch.tensor([math.inf, -math.inf])])
    False
    """
    tensors = list(tensors)
    total = sum([tensor.sum().item() for tensor in tensors])
    return total - total == 0 or all(map(_each_is_finite, tensors))  # math.isfinite takes no complex sum


def total_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients as one vector, even if their squares overflow float32 (above 2e19); the host waits."""
    norm = torch.nn.utils.get_total_norm(gradients)
    if not math.isfinite(norm.item()):
        norm = torch.nn.utils.get_total_norm([gradient.double() for gradient in gradients])
    return norm


def largest(tensors: Iterable[Tensor]) -> Tensor:
    """The largest magnitude of any element, finite if and only if all are; the host does not wait."""
    return torch.nn.utils.get_total_norm([_values(tensor) for tensor in tensors], math.inf)


def culprits(model: nn.Module, parameters: Iterable[nn.Parameter]) -> str:
    """Name the parameters whose gradients are not finite: the first three, and how many more."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    bad = [p for p in parameters if p.grad is not None and not _each_is_finite(p.grad)]
    shown = ", ".join(names.get(id(p), "a parameter outside the model") for p in bad[:3])
    return shown + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")


class Buffers:
    """The model's buffers, such as batch norm's statistics, which a forward pass changes.

    Take them before an update and put them back if it fails: a NaN would stay in a running mean for
    ever. A model without buffers costs nothing.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._places = [(m._buffers, name) for m in model.modules() for name, b in m._buffers.items() if b is not None]
        self._taken: list[tuple[dict[str, Tensor | None], str, Tensor, Tensor]] = []

    def take(self) -> None:
        """Copy the buffers."""
        if not self._places:
            return
        now = [(owner, name, owner[name]) for owner, name in self._places]
        with torch.no_grad():
            self._taken = [(owner, name, buffer, buffer.clone()) for owner, name, buffer in now if buffer is not None]

    def put_back(self) -> None:
        """Restore the copies."""
        with torch.no_grad():
            for owner, name, buffer, content in self._taken:
                owner[name] = buffer.copy_(content)


class NonFiniteFlag:
    """The first update whose loss, and the first whose gradient was not finite, kept on the device.

    On an accelerator, looking at every step would make the host wait at every step. The flag makes it wait only
    in :meth:`read`, called where the host waits anyway.
    """

    KINDS = ("the training loss", "the gradient")

    def __init__(self, device: torch.device) -> None:
        self._first = torch.full((2,), NEVER, dtype=torch.int64, device=device)

    def note(self, step: int, loss: Tensor, gradient: Tensor) -> None:
        """Note the loss of update ``step`` and the largest magnitude in its gradient."""
        bad = ~torch.isfinite(torch.stack([loss.double(), gradient.double()]))
        self._first = torch.where(bad, self._first.clamp(max=step), self._first)

    def read(self) -> tuple[int, str] | None:
        """The first update that was not finite and which part of it, or None; clears the flag."""
        first = self._first.tolist()
        self._first.fill_(NEVER)
        step = min(first)
        return None if step == NEVER else (step, self.KINDS[first.index(step)])


def _values(tensor: Tensor) -> Tensor:
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def _each_is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(_values(tensor)).all())
