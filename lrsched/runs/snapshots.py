"""Snapshots of a run together: what each of them and the latest so many say of a part of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, combinations
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.assembly.parts import Parts
from lrsched.checkpoint.places import Checkpoint, verified
from lrsched.checkpoint.snapshots import Snapshots
from lrsched.checkpoint.store import Store, load
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.data.batch import Batch, columns
from lrsched.data.data import is_whole
from lrsched.errors import CheckpointError
from lrsched.records import RunFolder
from lrsched.signals import StopFlag
from lrsched.tasks._call import Answers, part
from lrsched.tasks.task import Task
from lrsched.train.evaluate import Sums
from lrsched.train.precision import Precision
from lrsched.train.state import copied

MOST = 2**28
"""Bytes of batches, and of what all members give for them, that lie in memory at a time."""

SHOWN = 12
"""Snapshots up to which all their steps are said."""


def opened(parts: Parts, run: Settings, folder: RunFolder) -> Snapshots | None:
    """What keeps the weights at the minima of the schedule from here on, or None; forgets those that come again.

    Says which they are, and how much room they take, as the run begins.
    """
    found = Snapshots(folder.snapshots, parts.minima, run.checkpoint.snapshots)
    Store(folder.snapshots).tidy()  # what a killed process left half-written
    found.forget(parts.state.step)
    if not parts.minima:
        return None
    if not parts.state.step:
        kept = parts.minima[-(found.keep or len(parts.minima)) :]
        steps = ", ".join(map(str, kept if len(kept) <= SHOWN else [kept[0], kept[1], "…", kept[-1]]))
        room = found.bytes(parts.state.model.state_dict()) / 1e6
        say(f"checkpoint.snapshots: keeps the weights at {steps} in {folder.snapshots}, {room:.3g} MB in all")
    return found


def tested(parts: Parts, folder: RunFolder, stop: StopFlag) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What the snapshots of a run come to on the parts ``val`` and ``test``, as :func:`evaluate_members` says it."""
    members = intact(folder)
    if not members:
        return {}
    rest = (members, parts.task, parts.precision, stop)
    both = {"val": parts.validation, "test": parts.test}
    return {name: evaluate_members(parts.state.model, batches, *rest) for name, batches in both.items()}


def intact(folder: RunFolder) -> list[Checkpoint]:
    """The snapshots of a run, oldest first; damaged ones are said on stderr, and left out."""
    found: list[Checkpoint] = []
    for snapshot in reversed(Store(folder.snapshots).found()):
        try:
            verified(snapshot)
        except CheckpointError as error:
            say(f"passed over: {error}")
        else:
            found.append(snapshot)
    return found


class Diversity:
    """How much the members of an ensemble differ: the mean over pairs, and over all that they predict.

    Of classes, the share that two members decide otherwise (``disagreement``); of numbers, the square of the
    difference in the target's own unit (``squared_difference``).

    Args:
        task: says what an output predicts; see :meth:`lrsched.tasks.Task.compared`.
        members: how many there are.
    """

    def __init__(self, task: Task, members: int) -> None:
        self._task, self.name, self._weight = task, "disagreement", 0
        self._pairs: dict[tuple[int, int], Tensor] = {}
        self._members = members

    def add(self, outputs: Sequence[Any], batch: Batch) -> None:
        """Compare what all members give for a batch, oldest first."""
        said = [self._said(output, batch) for output in outputs]
        self._weight += said[0].numel()
        for i, j in combinations(range(len(said)), 2):
            one, other = said[i], said[j]
            apart = (one - other).double().square() if one.is_floating_point() else one != other
            self._pairs[i, j] = self._pairs.get((i, j), 0) + apart.sum().double()

    def of_last(self, members: int) -> dict[str, float]:
        """That of the latest so many; nothing of a single one."""
        first = self._members - members
        found = [float(total) for (i, _), total in self._pairs.items() if i >= first]
        return {self.name: sum(found) / len(found) / max(1, self._weight)} if found else {}

    def _said(self, output: Any, batch: Batch) -> Tensor:
        predictions, y = self._task.compared(output, batch)
        if not is_whole(y):
            self.name = "squared_difference"
            return predictions
        said = predictions.argmax(1) if predictions.ndim > y.ndim else predictions > 0.5
        ignored = getattr(self._task, "ignored", getattr(self._task, "ignore", None))
        return said if ignored is None else said[y != ignored]


def evaluate_members(
    model: nn.Module,
    batches: Iterable[Batch],
    members: Sequence[Checkpoint],
    task: Task,
    precision: Precision,
    stop: StopFlag,
) -> dict[str, list[dict[str, Any]]]:
    """The task's metrics of each snapshot, and of the latest 1, 2, … of them together.

    Args:
        model: holds one member after the other, and in the end the weights that it has now.
        batches: of a part of the data.
        members: snapshots, oldest first; at least one.
        task: of the run; see :meth:`lrsched.tasks.Task.ensemble`.
        precision: the arithmetic of the forward pass.
        stop: looked at before each batch.

    Returns:
        ``single``: ``step`` and the metrics of each; ``last``: ``snapshots``, the number of the latest, their metrics,
        and from two on how much they differ.

    Raises:
        CheckpointError: a snapshot is damaged.
    """
    count = len(members)
    single, last = ([Sums(task) for _ in members] for _ in range(2))
    diversity = Diversity(task, count)

    with borrowed(model):
        for batch, outputs in answers(model, members, stop.watch(batches), task.forward, precision):
            with torch.inference_mode(), precision():
                for sums, output in zip(single, outputs, strict=True):
                    sums.add(_standing_for(model, output), batch)
                for number in range(2, count + 1):
                    merged = task.ensemble(outputs[-number:], batch)
                    last[number - 1].add(_standing_for(model, merged), batch)
                diversity.add(outputs, batch)
    each = [sums.metrics() for sums in single]
    together = [each[-1], *(sums.metrics() for sums in last[1:])]
    return {
        "single": [{"step": member.step, **found} for member, found in zip(members, each, strict=True)],
        "last": [{"snapshots": m, **found, **diversity.of_last(m)} for m, found in enumerate(together, start=1)],
    }


def answers(
    model: nn.Module,
    members: Sequence[Checkpoint],
    batches: Iterable[Batch],
    forward: Callable[[nn.Module, Batch], Any],
    precision: Precision,
) -> Iterator[tuple[Batch, list[Any]]]:
    """Each batch, and what every member gives for it; the weights of one member are in memory at a time.

    Args:
        model: in evaluation mode; holds one member after the other.
        members: snapshots, oldest first.
        batches: each is made once, and as many are held together as :data:`MOST` allows.
        forward: calls the model.
        precision: the arithmetic of that.

    Raises:
        CheckpointError: a snapshot is damaged.
    """

    def given(batch: Batch) -> Any:
        with torch.inference_mode(), precision():
            return forward(model, batch)

    rest = iter(batches)
    for first in rest:
        held: list[tuple[Batch, list[Any]]] = []
        size = 0
        _put(members[0], model)
        for batch in chain([first], rest):
            output = given(batch)
            held.append((batch, [output]))
            size += _bytes(columns(batch).values()) + len(members) * _bytes([part(output, "logits", output)])
            if size > MOST:
                break
        for member in members[1:]:
            _put(member, model)
            for batch, outputs in held:
                outputs.append(given(batch))
        yield from held


@contextmanager
def borrowed(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and give it back its weights and its mode."""
    mine, was_training = copied(model.state_dict()), model.training
    model.eval()
    try:
        yield
    finally:
        model.load_state_dict(mine)
        model.train(was_training)


def _put(member: Checkpoint, model: nn.Module) -> None:
    weights: Mapping[str, Any] = load(member)["model"]
    model.load_state_dict(weights)


def _standing_for(model: nn.Module, output: Any) -> Any:
    return Answers(model, [output])


def _bytes(tensors: Iterable[Any]) -> int:
    return sum(item.numel() * item.element_size() for item in tensors if isinstance(item, Tensor))
