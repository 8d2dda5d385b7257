"""What these tests run: a run that is over in a blink, and what of a process a run could disturb."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lrsched.seeds import key
from tests.helpers.own_problem import Net, Noisy

QUICK = ("trainer.epochs=2", "trainer.progress=false", "logger=none", "threads=1", "optimizer=sgd", "scheduler=cosine")
OWN = (*QUICK, "dataset.batch_size=16", "trainer.log_every=1st")


def net(seed: int | None = None) -> nn.Module:
    """The model of the problem, as a run of this seed initialises it; None: as it comes."""
    if seed is not None:
        torch.manual_seed(key(seed, "init"))
    return Net(3)


def samples() -> tuple[Tensor, Tensor]:
    return Noisy().load().train


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a run but what a clock says."""
    names = ("metrics.jsonl", "config.yaml")
    return {name: (folder / name).read_bytes() for name in names}


def process() -> Mapping[str, Any]:
    """What of this process a run could disturb."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import VersionBase
    from omegaconf import OmegaConf

    log = logging.getLogger("lrsched")
    return {
        "torch generator": torch.get_rng_state().tolist(),
        "numpy generator": str(np.random.get_state()),
        "python generator": random.getstate(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warns only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "fills": getattr(torch.utils.deterministic, "fill_uninitialized_memory"),  # noqa: B009  (untyped)
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "environment": dict(os.environ),
        "arguments": [*sys.argv],
        "path": [*sys.path],
        "streams": (id(sys.stdout), id(sys.stderr)),
        "folder": os.getcwd(),
        "filters": [*warnings.filters],
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "log": ([*log.handlers], log.level, log.propagate),
        "other logs": ([*logging.root.handlers], logging.root.level),
        "hydra": id(GlobalHydra.instance().hydra),
        "version base": VersionBase.instance().version_base,
        "schema": id(ConfigStore.instance().repo.get("schema.yaml")),
        "resolver": OmegaConf.has_resolver("run_id"),
    }
