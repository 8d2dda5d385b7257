"""One torch thread everywhere: bytes are compared, and two cores are shared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.cli import _cluster, a_cluster, run_cli  # noqa: F401  (fixtures of every room)

os.environ["OMP_NUM_THREADS"] = "1"  # for processes that tests start

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def real_data() -> Path:
    """The folder that holds MNIST/raw: LRSCHED_DATA, or else data/; a skip where neither does."""
    folder = Path(os.environ.get("LRSCHED_DATA", ROOT / "data"))
    if not (folder / "MNIST" / "raw").is_dir():
        pytest.skip(f"no real MNIST in {folder}: set LRSCHED_DATA to the folder that holds MNIST/raw")
    return folder
