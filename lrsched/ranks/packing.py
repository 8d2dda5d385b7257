"""Hold gradients, and what is summed beside them, as one contiguous tensor for each type."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrsched.errors import UserError


class Packed:
    """Gradients of one part of an update, or a sum of such, with numbers that are summed beside them.

    Args:
        flats: one for each type of the parameters, each a multiple of ``size`` long, and one of float64: the numbers.
        views: of the parameters' gradients in ``flats``, in the parameters' order.
        numbers: the view of the numbers: those of the caller, then for each parameter 1.0 for each gradient summed.
        every: every parameter is known to have a gradient.
    """

    def __init__(self, flats: list[Tensor], views: list[Tensor], numbers: Tensor) -> None:
        self.flats, self.views, self.numbers, self.every = flats, views, numbers, False


class Packing:
    """Packs the gradients of some parameters; tensors that were summed are used again.

    Args:
        parameters: that an optimizer steps.
        numbers: how many numbers are summed beside them.
        size: of which each flat tensor's length is a multiple.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], numbers: int, size: int) -> None:
        self._parameters, self._numbers, self._size = list(parameters), numbers, size
        self._spare: list[Packed] = []

    def pack(self, numbers: Tensor) -> Packed:
        """Take the gradients away from the parameters, with these numbers.

        Args:
            numbers: float64, on any device.

        Raises:
            UserError: a gradient is sparse.
        """
        packed = self.empty()
        gradients = [parameter.grad for parameter in self._parameters]
        if any(gradient is not None and gradient.is_sparse for gradient in gradients):
            raise UserError("a gradient is sparse, and those of processes and lanes are not; give sparse=False")
        there = [gradient is not None for gradient in gradients]
        for parameter, view, gradient in zip(self._parameters, packed.views, gradients, strict=True):
            if gradient is None:
                view.zero_()
            else:
                view.copy_(gradient)
            parameter.grad = None
        packed.every = all(there)
        packed.numbers[: self._numbers] = numbers
        packed.numbers[self._numbers :] = 1.0 if packed.every else torch.tensor(there, dtype=torch.float64)
        return packed

    def unpack(self, packed: Packed) -> None:
        """Give the parameters their gradients; one that no part had stays without, and the host waits to know it.

        Args:
            packed: a sum; not to be changed as long as the gradients are needed.
        """
        has = [1.0] * len(packed.views) if packed.every else packed.numbers[self._numbers :].tolist()
        for parameter, view, parts in zip(self._parameters, packed.views, has, strict=True):
            parameter.grad = view if parts else None

    def sum(self, left: Packed, right: Packed) -> Packed:
        """Add the second to the first, whose memory it is."""
        for flat, more in zip(left.flats, right.flats, strict=True):
            flat += more
        left.every |= right.every
        self.free(right)
        return left

    def empty(self) -> Packed:
        """What a process holds that has no part in an update."""
        packed = self._spare.pop() if self._spare else self._new()
        packed.every = False  # nothing is known of what the others sum into it
        return packed

    def free(self, packed: Packed) -> None:
        """Use its memory again."""
        self._spare.append(packed)

    def _new(self) -> Packed:
        kinds = {parameter.dtype: 0 for parameter in self._parameters}
        places = []
        for parameter in self._parameters:
            places.append(kinds[parameter.dtype])
            kinds[parameter.dtype] += parameter.numel()
        device = self._parameters[0].device
        flats = {kind: self._zeros(length, kind, device) for kind, length in kinds.items()}
        views = [
            flats[parameter.dtype][place : place + parameter.numel()].view(parameter.shape)
            for parameter, place in zip(self._parameters, places, strict=True)
        ]
        length = self._numbers + len(self._parameters)
        numbers = self._zeros(length, torch.float64, device)
        return Packed([*flats.values(), numbers], views, numbers[:length])

    def _zeros(self, length: int, kind: torch.dtype, device: torch.device) -> Tensor:
        return torch.zeros(-(-length // self._size) * self._size, dtype=kind, device=device)
