"""Several processes of one run, forked, which meet over gloo."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.helpers import fork_server as forks
from tests.helpers.runs import composed, set_config

if TYPE_CHECKING:
    from lrsched.ranks.world import World

T = TypeVar("T")

LONGEST = 120.0
"""Seconds after which processes count as hanging."""


def on_ranks(place: Path, size: int, work: Callable[[World], T]) -> list[T]:
    """What some work gives in each of several processes, by rank.

    Args:
        place: a folder of its own.
        size: processes.
        work: called in each; it and what it gives can be pickled.
    """
    place.mkdir(parents=True)
    said = [place / f"said-{rank}" for rank in range(size)]
    pids = [forks.start(said[rank], partial(_rank, place, rank, size, work)) for rank in range(size)]
    codes = [forks.wait(pid, LONGEST) for pid in pids]
    assert codes == [0] * size, [file.read_text("utf-8") for file in said if file.exists()]
    return [pickle.loads((place / f"found-{rank}").read_bytes()) for rank in range(size)]


def _rank(place: Path, rank: int, size: int, work: Callable[[World], Any]) -> None:
    """One process."""
    import torch.distributed as d

    from lrsched.ranks.world import World

    d.init_process_group("gloo", init_method=f"file://{place}/meet", rank=rank, world_size=size)
    group = d.group.WORLD
    found = work(World(rank=rank, size=size, host=group, group=group))
    d.barrier()
    (place / f"found-{rank}").write_bytes(pickle.dumps(found))
    d.destroy_process_group()


@dataclass(frozen=True)
class Trained:
    """What some updates came to: every bit of it.

    Args:
        weights: SHA-256 of weights and buffers.
        state: SHA-256 of the optimizer's numbers, and of the generators.
        losses, norms: of each update, the norms before clipping.
        metrics: of the validation part, after the last one.
    """

    weights: str
    state: str
    losses: list[float]
    norms: list[float | None]
    metrics: dict[str, float]


def trained(world: World, config: bytes, updates: int) -> Trained:
    """Make the first updates of a run, then evaluate it."""
    import hashlib
    import os

    import torch

    from lrsched.assembly.parts import assemble
    from lrsched.compose.nodes import plain
    from lrsched.config.settings import settings
    from lrsched.runs.result import evaluated
    from lrsched.signals import StopFlag
    from lrsched.train.state import weights_sha256

    os.environ.setdefault("LRSCHED_TRUST", "tests")
    parts = assemble(settings(plain(set_config(config))), torch.device("cpu"), world=world)
    losses, norms = [], []
    for _ in range(updates):
        norms.append(parts.update(parts.state, want_norm=True))
        losses.append(parts.state.window.mean())
    metrics = evaluated(parts, parts.validation, "val", StopFlag())
    kept = [*tensors(parts.state.optimizer_state()), torch.get_rng_state()]
    digest = hashlib.sha256(b"".join(item.numpy().tobytes() for item in kept)).hexdigest()
    parts.loader.close()
    return Trained(weights_sha256(parts.state.model), digest, losses, norms, metrics)


def tensors(state: Any) -> list[Any]:
    """All tensors in a state, in order."""
    import torch

    if isinstance(state, torch.Tensor):
        return [state]
    inside = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else ()
    return [found for item in inside for found in tensors(item)]


def train_on(place: Path, size: int, overrides: Sequence[str], updates: int) -> list[Trained]:
    """The same updates made by several processes: what each of them holds in the end."""
    return on_ranks(place, size, partial(trained, config=composed(*overrides), updates=updates))
