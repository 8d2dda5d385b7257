"""The gradient of an update that is made in parts: by several processes, or in lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lrsched.data.batch import Batch, samples
from lrsched.data.cut import Piece, drawn_at
from lrsched.data.loader import Loader
from lrsched.ranks.moments import Moments
from lrsched.ranks.packing import Packed, Packing
from lrsched.ranks.tree import Growing
from lrsched.ranks.world import World
from lrsched.tasks.task import Task
from lrsched.train.gradient.whole import Backward
from lrsched.train.state import RunState

if TYPE_CHECKING:
    from lrsched.data.stream.batches import ItemLoader


class Parted:
    """Sums the gradients of the parts of an update in one fixed tree.

    ::

        for each part of this process:   for each micro-batch of it:  loss·weight / weight of the update -> backward
                                         take the gradient away, into the tree
        sum the trees of all processes, which are branches of one
        the parameters get their gradients, batch norm its running statistics

    The sums hold the loss and the moments of batch norm, too: afterwards every process has the same bits of everything.

    Args:
        loader: makes the micro-batches of the parts of this process.
        backward: one micro-batch.
        world: the processes.
    """

    def __init__(self, loader: Loader | ItemLoader, backward: Backward, world: World) -> None:
        self._loader, self._backward, self._world = loader, backward, world
        self._cut, self._task = loader.cut, backward.task
        self._moments: Moments | None = None
        self._packing: Packing | None = None
        self._in_use: Packed | None = None
        self._counts = type(self._task).weight is Task.weight
        """Whether a batch weighs as much as it has samples: then every process knows what the update weighs."""

    def __call__(self, state: RunState, parameters: Sequence[nn.Parameter], number: int) -> Tensor:
        """Give the parameters the gradient of batch ``number``, and return its loss.

        Raises:
            RankLost: a process has ended.
        """
        moments, packing = self._tools(state.model, parameters)
        if self._in_use is not None:
            packing.free(self._in_use)
            self._in_use = None
        tree = Growing(packing.sum)
        with moments.apart():
            for part, its in groupby(self._weighed(number), key=lambda found: found[0].part):
                loss = self._made(state, moments, number, list(its))
                tree.push(packing.pack(torch.cat([loss, *moments.part(part)])))
            total = self._in_use = tree.total() or packing.empty()
            filled = self._cut.filled(self._loader.samples_of(number), self._loader.batch_size)
            for flat in total.flats:
                self._world.add(flat, filled)
            moments.move(total.numbers[1 : 1 + moments.numbers])
        packing.unpack(total)
        self._backward.reseed_all(number)  # what is drawn until the next update does not depend on who made which part
        return total.numbers[0].clone()

    def _made(
        self, state: RunState, moments: Moments, number: int, its: Iterable[tuple[Piece, Batch, float]]
    ) -> Tensor:
        """Make the micro-batches of a part; the sum of their losses, float64 [1]."""
        loss = torch.zeros(1, dtype=torch.float64, device=state.window.total.device)
        whole = self._loader.samples_of(number)
        for piece, batch, factor in its:
            position = drawn_at(self._cut, number, piece) + (() if self._cut.lanes else (self._cut.rank,))
            self._backward.reseed_all(*position)
            loss += self._backward(state.model, batch, position, factor, state.scaler, None)
            moments.see(samples(batch) / whole)
        return loss

    def _weighed(self, number: int) -> Iterable[tuple[Piece, Batch, float]]:
        """The micro-batches of this process, each with its part of the whole update's weight."""
        found = self._loader.pieces(number)
        if self._counts:
            whole = self._loader.samples_of(number)
            for piece, batch in found:
                yield piece, batch, samples(batch) / whole
            return
        made = list(found)
        mine = [float(self._task.weight(batch)) for _, batch in made]
        sizes = self._cut.sizes(self._loader.samples_of(number), self._loader.batch_size)
        most = max(map(len, sizes)) * len(self._cut.own)
        every = self._world.exchange([*mine, *[0.0] * (most - len(mine))])
        whole = sum(weight for theirs in every for weight in theirs)  # in the order of the parts, whoever has them
        for (piece, batch), weight in zip(made, mine, strict=True):
            yield piece, batch, weight / whole if whole else 0.0  # nothing has no part of nothing

    def _tools(self, model: nn.Module, parameters: Sequence[nn.Parameter]) -> tuple[Moments, Packing]:
        """Tools for this model and these parameters, made once for each."""
        if self._moments is None or self._packing is None or self._moments.model is not model:
            self._moments = Moments(model, self._world)
            self._packing = Packing(parameters, 1 + self._moments.numbers, self._world.size)
            self._in_use = None
        return self._moments, self._packing
