"""Whole sweeps as processes of their own, for the benchmarks that time them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

TRAIN = str(Path(__file__).resolve().parent.parent / "train.py")


def run(command: list[str], cwd: str) -> str:
    """What a command printed, with one thread a process; one that fails ends the benchmark."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout + done.stderr


def sweep(cwd: str, *overrides: str) -> str:
    """A sweep named ``sweep`` in a folder; returns what it printed."""
    return run([sys.executable, TRAIN, "-m", "name=sweep", "logger=none", *overrides], cwd)


def timed(*overrides: str) -> Callable[[], Callable[[], object]]:
    """The same for a clock, in a folder that is empty before and gone after."""

    def once() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            sweep(scratch, *overrides)

    return lambda: partial(once)
