"""One torch thread everywhere: bytes are compared, and the cores are shared by tests that run side by side."""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers import fork_server, savings
from tests.helpers.cli import _cluster, _kept, a_cluster, once, run_cli  # noqa: F401  (fixtures of every room)
from tests.helpers.heard import heard  # noqa: F401
from tests.helpers.remembered_files import RememberedFiles

os.environ["OMP_NUM_THREADS"] = "1"  # for processes that tests start

gc.disable()  # until the tests begin: what is imported and collected stays

# A busy machine is slow: no test is judged by a clock.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent

collect_ignore = ["helpers/lightning_models.py"]  # imports Lightning, which takes seconds; its test does that


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    if find_spec("torch"):  # the newest Python's lane has none
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def remembered_files() -> RememberedFiles:
    """What Hydra made of the YAML files of this tree, which it reads once in a process."""
    memory = RememberedFiles()
    memory.install()
    return memory


@pytest.fixture(autouse=True, scope="session")
def _savings() -> None:
    savings.install()


@pytest.fixture(autouse=True, scope="session")
def _server_ends() -> Iterator[None]:
    """The server that forks runs, if a test has started it, ends with the tests."""
    yield
    fork_server.stop()


@pytest.fixture(autouse=True, scope="session")
def _young_garbage(_one_thread: None, remembered_files: RememberedFiles, _savings: None) -> None:
    """What has been imported by now stays: the garbage collector, and the pages of forked jobs, leave it alone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)  # the tests make much, and little of it in circles
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the machine for themselves come last."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


@pytest.fixture(autouse=True)
def _share_the_machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the workers, one waits for the others where its test is marked ``alone``."""
    whole = request.node.get_closest_marker("alone") is not None
    base = tmp_path_factory.getbasetemp()
    with open((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "machine.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if whole else fcntl.LOCK_SH)
        yield


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
