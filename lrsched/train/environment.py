"""The machine of a run: its device, its threads, and what bit-exactness depends on."""

from __future__ import annotations

import os
import platform
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch

import lrsched
from lrsched.errors import ConfigError
from lrsched.machine.processor import processor
from lrsched.machine.threads import Threads

BITS = 1
"""Rises with every version whose runs come to other bits than those of the version before; 0.1.0 counts as 1."""


LATER = ("processor",)
"""Entries of a fingerprint that older ones lack."""


def prepare(device: str, threads: int | str | None, deterministic: bool) -> torch.device:
    """Set up torch for a run and return its device.

    Args:
        device: ``auto`` (a GPU where there is one), or a name.
        threads: of torch, None for its own choice, or ``auto``: one, until the work is known.
        deterministic: use only algorithms that give equal bytes in equal runs.

    Raises:
        ConfigError: this machine has no such device.
    """
    if threads is not None:
        torch.set_num_threads(1 if isinstance(threads, str) else threads)
    chosen = device_of(device)
    # The public setter would first import torch._inductor, which takes seconds.
    torch._C._set_deterministic_algorithms(deterministic, warn_only=False)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        # A debugging aid that fills every new tensor.
        setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  (untyped)
    return chosen


def take(threads: Threads) -> dict[str, Any]:
    """Let torch have these threads from now on; gives what ``result.json`` says of them."""
    torch.set_num_threads(threads.number)
    return asdict(threads)


@contextmanager
def with_threads(number: int | None) -> Generator[None]:
    """Compute with so many threads of torch, and afterwards with those of before; None: with those of now."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of(said: Mapping[str, Any]) -> int | None:
    """The threads of a run, as a manifest or a result says; None: it does not."""
    found = said.get("fingerprint")
    number = found.get("threads") if isinstance(found, Mapping) else None
    return number if isinstance(number, int) and number >= 1 else None


def device_of(device: str) -> torch.device:
    """The device of a name; of ``auto`` a GPU where there is one.

    Raises:
        ConfigError: this machine has no such device.
    """
    name = device
    if device == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(name)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError("device", device, f"cannot be used here: {reason}", "give device=cpu") from error
    return chosen


def fingerprint(device: torch.device, precision: str, processes: int = 1) -> dict[str, Any]:
    """What must be equal for two runs of one config to be equal to the last bit.

    Args:
        device: of the run.
        precision: the arithmetic of the forward pass.
        processes: that the bits depend on; with lanes 1, since they depend on none.
    """
    return {
        "lrsched": lrsched.__version__,  # for a reader; `unequal` leaves it out
        "bits": BITS,
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "isa_limits": {
            name: os.environ[name]
            for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS")
            if name in os.environ
        },
        "machine": platform.machine(),
        "processor": processor(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": precision,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "world_size": processes,
    }


def unequal(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """In what two fingerprints differ: ``{name: (old, new)}``, without what says nothing about bits.

    Our version says nothing, and neither does an entry that was added later to one that is older.
    """
    old, new = {"bits": 1, **old}, {"bits": 1, **new}
    names = [
        name for name in dict.fromkeys([*new, *old]) if name != "lrsched" and not (name in LATER and name not in old)
    ]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}
