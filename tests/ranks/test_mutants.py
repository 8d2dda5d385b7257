"""What must not be so, made so in the processes: each changes what the tests of this room compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.ranks import Trained, on_ranks, trained
from tests.helpers.runs import composed
from tests.ranks.test_bits import IMAGES, TINY

LANES = (*TINY, "trainer.lanes=4", "dataset.batch_size=90")


def one_after_the_other() -> None:
    """Sum without the tree."""
    import functools

    from lrsched.ranks import world

    def fold(leaves: Sequence[Any], add: Callable[[Any, Any], Any]) -> Any:
        return functools.reduce(add, [leaf for leaf in leaves if leaf is not None])

    world.fold = fold


def swapped() -> None:
    """Give the processes every other lane, in place of lanes that are neighbours in the tree."""
    from lrsched.data.cut import Cut

    Cut.own = property(lambda self: range(self.rank, self.parts, self.size))  # type: ignore[method-assign, assignment]


def mean_of_means() -> None:
    """Weigh every part alike."""
    from lrsched.train.gradient import parted

    weighed = parted.Parted._weighed

    def alike(self: parted.Parted, number: int) -> Any:
        for piece, batch, _ in weighed(self, number):
            yield piece, batch, 1 / self._cut.parts

    parted.Parted._weighed = alike


def padded() -> None:
    """Evaluate as many batches on each process, the last one of some of them twice."""
    from lrsched.data.loader import InOrder

    share = InOrder.share

    def filled(self: InOrder, rank: int, size: int) -> InOrder:
        shared = share(self, rank, size)
        lacking = -(-len(self) // size) - len(shared)
        shared._starts = [*shared._starts, *[self._starts[-1]] * lacking]  # type: ignore[assignment]
        return shared

    InOrder.share = filled


def a_step_for_each_process() -> None:
    """Count a step of the schedule for each process, as Accelerate does."""
    from lrsched.train.update import Update

    once = Update._once

    def faster(self: Update, state: Any, stepper: Any, want_norm: bool) -> Any:
        place = state.clock.place
        many = self._loader.cut.size
        state.clock.__dict__["place"] = lambda step: place(many * step)
        try:
            return once(self, state, stepper, want_norm)
        finally:
            del state.clock.__dict__["place"]

    Update._once = faster


def each_for_itself() -> None:
    """Decide by the batches that a process has measured itself."""
    from lrsched.train.evaluate import SharedSums, Sums

    def metrics(self: SharedSums) -> dict[str, float]:
        for found in self._own:
            Sums.put(self, *found)
        return Sums.metrics(self)

    SharedSums.metrics = metrics


def stopping(world: Any, fault: Callable[[], None] | None, config: bytes) -> list[dict[str, Any]]:
    from tests.ranks.test_course import rows

    if fault is not None:
        fault()
    return rows(world, config)


def work(world: Any, fault: Callable[[], None] | None, config: bytes) -> Trained:
    if fault is not None:
        fault()
    return trained(world, config, 5)


def differs(place: Path, fault: Callable[[], None], size: int, *overrides: str) -> bool:
    """Whether the fault changes what comes out, on this many processes against one without it."""
    config = composed(*overrides)
    right = on_ranks(place / "right", 1, partial(work, fault=None, config=config))[0]
    wrong = on_ranks(place / "wrong", size, partial(work, fault=fault, config=config))[0]
    sound = on_ranks(place / "sound", size, partial(work, fault=None, config=config))[0]
    assert sound == right
    return wrong != right


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "size"),
    [(one_after_the_other, 4), (swapped, 2), (mean_of_means, 2), (a_step_for_each_process, 2)],
)
def test_bits_tell(fault: Callable[[], None], size: int, tmp_path: Path) -> None:
    assert differs(tmp_path, fault, size, *LANES, "scheduler=cosine")


@pytest.mark.slow
def test_an_evaluation_tells_what_was_padded(tmp_path: Path) -> None:
    assert differs(tmp_path, padded, 4, *LANES, "dataset.eval_batch_size=29")


@pytest.mark.slow
def test_weights_tell_what_one_process_alone_draws(tmp_path: Path) -> None:
    config = composed(*IMAGES, "trainer.lanes=2")
    with pytest.raises(AssertionError, match="not those of rank 0"):
        on_ranks(tmp_path / "drawn", 2, partial(drawing, config=config))


def drawing(world: Any, config: bytes) -> None:
    """Move a weight of rank 1, then look as a save does."""
    import torch

    from lrsched.assembly.parts import assemble
    from lrsched.compose.nodes import plain
    from lrsched.config.settings import settings
    from lrsched.ranks.agreement import require_same
    from lrsched.train.state import weights_sha256
    from tests.helpers.runs import set_config

    parts = assemble(settings(plain(set_config(config))), torch.device("cpu"), world=world)
    require_same(world, weights_sha256(parts.state.model), "the weights at step 0")
    if world.rank:
        with torch.no_grad():
            next(parts.state.model.parameters()).view(-1)[0] += 1e-7
    require_same(world, weights_sha256(parts.state.model), "the weights at step 0")


@pytest.mark.slow
def test_rows_tell_an_early_stop_that_is_not_one_decision(tmp_path: Path) -> None:
    words = (
        "trainer.early_stop.patience=1",
        "trainer.evaluate_every=2st",
        "optimizer.lr=1.5",
        "dataset.eval_batch_size=20",
    )
    config = composed("trainer.epochs=20", "model.hidden=[16]", "trainer.log_every=1st", *words)
    sound = on_ranks(tmp_path / "sound", 2, partial(stopping, fault=None, config=config))
    assert sound[0] == sound[1]
    assert "early stop" in sound[0][-1]["ended"]
    wrong: list[Any] = []
    with suppress(AssertionError):  # one of them stops, and the other waits for it until the connection ends
        wrong = on_ranks(tmp_path / "wrong", 2, partial(stopping, fault=each_for_itself, config=config))
    assert not wrong or wrong[0] != wrong[1]
