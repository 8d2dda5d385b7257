"""Buffers that a forward pass changes, where an update is made in parts: changed once, whoever made which part."""

from __future__ import annotations

from collections.abc import Collection, Generator
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

    in float64 and in the order in which gradients are summed. Any other buffer that a forward pass changes, or puts
    another in the place of, begins each part as it was at rest, and becomes what the first part made of it.

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
        self._others = _others(model, own)
        self._compares = True  # in the first update: what changes a buffer unseen changes it then, as a rule
        self._changed = set[int]()
        self._moving: list[int] = []

    @property
    def numbers(self) -> int:
        """How many numbers are summed over the parts."""
        return sum(layer.numbers for layer in self._layers)

    @contextmanager
    def apart(self) -> Generator[None]:
        """Around an update: batch norm keeps the statistics of each forward pass by itself."""
        for other in self._others:
            other.begin()
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
        for place, other in enumerate(self._others):
            if other.put_back(keep=number == 0, compare=self._compares):
                self._changed.add(place)
        return [layer.sums() for layer in self._layers]

    def move(self, sums: Tensor) -> None:
        """Move the buffers by the sums over all parts.

        Raises:
            RankLost: a process has ended.
        """
        for layer, own in zip(self._layers, sums.split([layer.numbers for layer in self._layers]), strict=True):
            layer.move(own)
        if self._others:
            self._move_others()

    def _move_others(self) -> None:
        reshaped = [other.move() for other in self._others]
        fresh, self._compares = sorted(self._changed.difference(self._moving)), False
        (_, shapes), *_ = said = self._world.exchange([len(fresh), any(reshaped)])
        if any(count for count, _ in said):
            self._moving = sorted(set(self._moving).union(*self._world.gather(fresh)))
        if shapes:
            told = self._world.tell(lambda: [(other.now.shape, other.now.dtype) for other in self._others])
            for other, (shape, kind) in zip(self._others, told, strict=True):
                other.fit(shape, kind)
        self._world.hand_out([self._others[place].now for place in self._moving])


class _Other:
    """A buffer that is not batch norm's."""

    def __init__(self, owner: dict[str, Tensor | None], name: str) -> None:
        self._owner, self._name = owner, name
        self._first: Tensor | None = None

    @property
    def now(self) -> Tensor:
        """The tensor in its place: a module may put another one there."""
        found = self._owner[self._name]
        assert found is not None
        return found

    def begin(self) -> None:
        """Remember it, at rest."""
        self._first, self._at_rest = None, self.now
        self._content, self._version = self._at_rest.clone(), self._at_rest._version

    @torch.no_grad()
    def put_back(self, *, keep: bool, compare: bool) -> bool:
        """After a part: put back what was there at rest; whether that was needed.

        Args:
            keep: what the part made of it.
            compare: the numbers, too.
        """
        now = self.now
        same = now is self._at_rest and now._version == self._version
        if same and not (compare and not torch.equal(now, self._content)):
            return False
        if keep:
            self._first = now.clone()
        self._owner[self._name] = self._at_rest.copy_(self._content)
        self._version = self._at_rest._version
        return True

    @torch.no_grad()
    def move(self) -> bool:
        """Make it what the first part made of it, if that part was made here; whether it has another shape now."""
        if self._first is None:
            return False
        reshaped = self.fit(self._first.shape, self._first.dtype)
        self.now.copy_(self._first)
        return reshaped

    def fit(self, shape: torch.Size, kind: torch.dtype) -> bool:
        """Make room for numbers of this shape and type; whether it was needed."""
        now = self.now
        if (now.shape, now.dtype) == (shape, kind):
            return False
        self._owner[self._name] = torch.empty(shape, dtype=kind, device=now.device)
        return True


def _others(model: nn.Module, own: Collection[int]) -> list[_Other]:
    """The buffers of a model but some, each once."""
    found: dict[int, _Other] = {}
    for module in model.modules():
        for name, buffer in module._buffers.items():
            if buffer is not None and id(buffer) not in own:
                found.setdefault(id(buffer), _Other(module._buffers, name))
    return list(found.values())


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
        # Without a momentum the statistics are the mean of all updates.
        share = 1.0 / self._tracked.double() if self._momentum is None else self._momentum
        mean = means / whole
        var = (squares / whole - mean * mean).clamp_(min=0)
        for buffer, rest, now in zip((self._mean, self._var), self._rest, (mean, var), strict=True):
            moved = rest.double() * (1 - share) + now * share
            buffer.copy_(torch.where(took, moved, rest.double()))
