"""Buffers that a forward pass changes, where an update is made in parts: changed once, whoever made which part."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lrsched.ranks.world import World


class Moments:
    """Running statistics of batch norm, and other buffers, over the parts of an update.

    Each part is normalised by its own statistics. The running ones move once an update, towards those of all parts::

        mean = Σ share·mean_part
        var  = Σ share·(var_part + mean_part²) − mean²          share: of the update's samples

    in float64 and in the order in which gradients are summed. Any other buffer that a forward pass changes begins each
    part as it was at rest, and becomes what the first part made of it.

    Args:
        model: whose buffers these are.
        world: the processes; rank 0 makes the first part.
    """

    def __init__(self, model: nn.Module, world: World) -> None:
        self.model, self._world = model, world
        found = [
            layer
            for layer in model.modules()
            if isinstance(layer, _BatchNorm) and layer.track_running_stats and layer.running_mean is not None
        ]
        self._layers = [_Layer(layer) for layer in found]
        own = {id(buffer) for layer in found for buffer in layer.buffers(recurse=False)}
        self._others = [buffer for buffer in model.buffers() if id(buffer) not in own]
        self._moving: list[Tensor] | None = None
        self._moved = set[int]()
        self._rest: list[Tensor] = []
        self._first: list[Tensor] | None = None

    @property
    def numbers(self) -> int:
        """How many numbers are summed over the parts."""
        return sum(layer.numbers for layer in self._layers)

    @contextmanager
    def apart(self) -> Generator[None]:
        """Around an update: batch norm keeps the statistics of each forward pass by itself."""
        self._rest = [buffer.clone() for buffer in self._kept]
        self._first = None
        for layer in self._layers:
            layer.begin()
        try:
            yield
        finally:
            for layer in self._layers:
                layer.end()

    def see(self, share: float) -> None:
        """After the forward pass of a micro-batch: take its moments.

        Args:
            share: its samples, as a fraction of the update's.
        """
        for layer in self._layers:
            layer.see(share)

    def part(self, number: int) -> list[Tensor]:
        """After a part: what it adds to the sums, float64; the other buffers are put back."""
        kept = self._kept
        if number == 0:
            self._first = [buffer.clone() for buffer in kept]
        with torch.no_grad():
            for buffer, rest, place in zip(kept, self._rest, range(len(kept)), strict=True):
                if self._moving is None and not torch.equal(buffer, rest):
                    self._moved.add(place)
                buffer.copy_(rest)
        return [layer.sums() for layer in self._layers]

    def move(self, sums: Tensor) -> None:
        """Move the buffers by the sums over all parts.

        Raises:
            RankLost: a process has ended.
        """
        for layer, own in zip(self._layers, sums.split([layer.numbers for layer in self._layers]), strict=True):
            layer.move(own)
        if self._moving is None:  # the first update shows which of the others move
            moved = sorted(set[int]().union(*self._world.gather(self._moved))) if self._others else []
            self._moving = [self._others[place] for place in moved]
            self._first = None if self._first is None else [self._first[place] for place in moved]
        if self._first is not None:
            for buffer, kept in zip(self._moving, self._first, strict=True):
                buffer.copy_(kept)
        self._world.hand_out(self._moving)

    @property
    def _kept(self) -> Sequence[Tensor]:
        return self._others if self._moving is None else self._moving


class _Layer:
    """A layer of batch norm: with a momentum of 1 its running statistics are those of the last forward pass."""

    def __init__(self, layer: _BatchNorm) -> None:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        self._layer, self._mean, self._var = layer, layer.running_mean, layer.running_var
        assert layer.num_batches_tracked is not None
        self._tracked = layer.num_batches_tracked
        self._momentum = layer.momentum
        self.numbers = 1 + 2 * self._mean.numel()

    def begin(self) -> None:
        self._rest = self._mean.clone(), self._var.clone()
        self._count = self._tracked.clone()
        self._momentum = self._layer.momentum
        self._sum = torch.zeros(self.numbers, dtype=torch.float64, device=self._mean.device)
        self._layer.momentum = 1.0
        self._seen = self._passes

    @property
    def _passes(self) -> int:
        """Rises with each forward pass in training: PyTorch counts them in place, and changes the statistics unseen."""
        return self._tracked._version

    def see(self, share: float) -> None:
        if self._passes == self._seen:  # this layer took no part
            return
        mean, var = self._mean.double(), self._var.double()
        self._sum += share * torch.cat([torch.ones_like(mean[:1]), mean, var + mean * mean])
        self._seen = self._passes

    def sums(self) -> Tensor:
        found, self._sum = self._sum, torch.zeros_like(self._sum)
        return found

    def end(self) -> None:
        self._layer.momentum = self._momentum

    @torch.no_grad()
    def move(self, sums: Tensor) -> None:
        whole, means, squares = sums[:1], *sums[1:].chunk(2)
        took = whole > 0
        self._tracked.copy_(self._count + took.to(self._count.dtype)[0])
        share = (
            1.0 / self._tracked.double() if self._momentum is None else self._momentum
        )  # None: the mean of all updates
        mean = means / whole
        var = (squares / whole - mean * mean).clamp_(min=0)
        for buffer, rest, now in zip((self._mean, self._var), self._rest, (mean, var), strict=True):
            moved = rest.double() * (1 - share) + now * share
            buffer.copy_(torch.where(took, moved, rest.double()))
