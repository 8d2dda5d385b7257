"""One GPU a job, where there are any."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lrsched.config.schema import RunConfig

VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus_for(runs: Sequence[RunConfig]) -> list[str | None]:
    """The GPUs that jobs may have, one each: the name of each, or None for one that its runs name themselves.

    Asked in a process that will fork: counting them must not start CUDA, which does not survive a fork.
    """
    wanted = {run.device for run in runs}
    named = [device for device in wanted if device.startswith("cuda:")]
    if named or wanted.isdisjoint(("auto", "cuda")):
        return [None] * len(named)
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def take_gpu(gpus: Sequence[str | None], slot: int) -> None:
    """Let this process see the GPU of its slot alone."""
    gpu = gpus[slot % len(gpus)] if gpus else None
    if gpu is not None:
        os.environ[VISIBLE] = gpu
