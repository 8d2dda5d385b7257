"""The global generators of Python, NumPy and torch.

lrsched itself draws from none of them: its randomness is a function of (seed, step). A user's model,
scheduler or augmentation may, so a run seeds, saves and restores them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lrsched.seeds import key


def seed_generators(seed: int) -> None:
    """Seed every global generator for the start of a run."""
    random.seed(key(seed, "python"))
    np.random.seed(key(seed, "numpy") % 2**32)
    torch.manual_seed(key(seed, "torch"))


def seed_others(seed: int) -> None:
    """Seed the generators of Python and NumPy anew, in the middle of a run."""
    random.seed(seed)
    np.random.seed(seed % 2**32)


def generators_state(device: torch.device) -> dict[str, Any]:
    """The generators' states, in types that load under ``weights_only=True``."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def set_generators(state: Mapping[str, Any], device: torch.device) -> None:
    """Restore the generators. Do it last when a run is restored: building its parts draws from them.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: the state is malformed.
    """
    version, internal, gauss = state["python"]
    kind, keys, position, has_gauss, cached = state["numpy"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["device"] is not None:
        torch.cuda.set_rng_state(state["device"], device)
