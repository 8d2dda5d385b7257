"""Give each job one GPU, if there are any."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lrsched.config.schema import RunConfig
from lrsched.imports import collector_at_rest

VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus_for(runs: Sequence[RunConfig]) -> list[str | None]:
    """The GPUs that jobs may use, one each: the name of each, or None for a device that the config names.

    Counting must not start CUDA, which does not survive a fork.
    """
    wanted = {run.device for run in runs}
    named = [device for device in wanted if device.startswith("cuda:")]
    if named or wanted.isdisjoint(("auto", "cuda")):
        return [None] * len(named)
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    with collector_at_rest():
        import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def take_gpu(gpus: Sequence[str | None], slot: int, seats: int = 1) -> None:
    """Hide all GPUs from this process except those of its slots.

    Args:
        gpus: of all slots.
        slot: its first one.
        seats: how many it has.
    """
    own = list(dict.fromkeys(gpus[number % len(gpus)] for number in range(slot, slot + seats))) if gpus else []
    named = [gpu for gpu in own if gpu is not None]
    if named:
        os.environ[VISIBLE] = ",".join(named)
