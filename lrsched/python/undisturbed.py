"""Leave a process as it was found: what a run sets for itself is put back."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from lrsched.checkpoint.places import survey
from lrsched.config.targets import trusted
from lrsched.machine.allowance import allowance
from lrsched.machine.threads import AUTO
from lrsched.records import RunFolder
from lrsched.train.environment import threads_of, with_threads

VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
"""The variable of the environment that a deterministic run sets."""

FILLED = "fill_uninitialized_memory"
"""The aid for debugging that it turns off."""


@contextmanager
def undisturbed() -> Generator[None]:
    """Begin as in a fresh process; at the end put everything back: generators, threads, settings of torch."""
    with ExitStack() as ends:
        ends.enter_context(_generators())
        ends.enter_context(_settings())
        ends.enter_context(_importable())
        ends.enter_context(torch.inference_mode(False))
        ends.enter_context(torch.enable_grad())
        yield


def as_trained(run: RunFolder, config: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Compute with the threads that a run chose (``threads=auto``), as far as they are allowed here.

    Args:
        run: its folder, with a result or, of a run under way, with checkpoints.
        config: of the run, as it is stored.
    """
    if config.get("threads") != AUTO:
        return with_threads(None)
    said = [run.read_result() or {}, *(each.manifest for each in survey(run.checkpoints))]
    number = next(filter(None, map(threads_of, said)), None)
    return with_threads(None if number is None else allowance(number).number)


@contextmanager
def _generators() -> Generator[None]:
    """The global generators of Python, NumPy and torch, on every device."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    awake = torch.cuda.is_available() and torch.cuda.is_initialized()
    devices = torch.cuda.get_rng_state_all() if awake else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if awake:
            torch.cuda.set_rng_state_all(devices)
        else:
            torch.cuda.manual_seed_all(torch.initial_seed())  # as the caller's last torch.manual_seed() did


@contextmanager
def _settings() -> Generator[None]:
    """Threads, deterministic algorithms, and what tensors are made as where nobody says it."""
    threads, kind, device = torch.get_num_threads(), torch.get_default_dtype(), torch.get_default_device()
    strict = torch.are_deterministic_algorithms_enabled()
    lenient = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    products = torch.get_float32_matmul_precision()
    filled, variable = getattr(torch.utils.deterministic, FILLED), os.environ.get(VARIABLE)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(kind)
        torch.set_default_device(None if device.type == "cpu" else device)
        torch._C._set_deterministic_algorithms(strict, warn_only=lenient)  # the public setter imports torch._inductor
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        if torch.get_float32_matmul_precision() != products:
            torch.set_float32_matmul_precision(products)
        setattr(torch.utils.deterministic, FILLED, filled)
        if variable is None:
            os.environ.pop(VARIABLE, None)


@contextmanager
def _importable() -> Generator[None]:
    """A trusted module may lie in the current folder, as with python train.py."""
    added = bool(trusted()) and not {"", os.getcwd()} & set(sys.path)
    if added:
        sys.path.insert(0, "")
    try:
        yield
    finally:
        if added and "" in sys.path:
            sys.path.remove("")
