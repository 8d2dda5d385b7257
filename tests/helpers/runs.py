"""Runs in processes of their own, which may be killed.

Hydra composes a command line once, in the test process; the forked child goes on behind it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.records import RunFolder
from tests.helpers import fork_server as forks

if TYPE_CHECKING:
    from omegaconf import DictConfig

Fault = Callable[[], None]
"""Called in the child before the run: injects a fault."""

LONGEST = 60.0
"""Seconds after which a run counts as hanging."""

KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code (a signal: negative), and what it said."""

    code: int
    said: str


class Running:
    """A run in a child process.

    Args:
        place: the folder it works in; its files lie in ``outputs/run`` there.
        overrides: the command line.
        faults: what is to go wrong.
    """

    def __init__(self, place: Path, overrides: Sequence[str], faults: Sequence[Fault] = ()) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._said = place / "said"
        self._said.unlink(missing_ok=True)
        self._pid = forks.start(self._said, partial(_work, place, composed(*overrides), tuple(faults)))

    def end(self) -> Ended:
        """Wait for the end."""
        code = forks.wait(self._pid, LONGEST)
        if code is None:
            raise AssertionError(f"the run hung: {self._kill().said}")
        return self._ended(code)

    def kill_after(self, seconds: float) -> Ended:
        """Kill the run if it has not ended by then."""
        code = forks.wait(self._pid, seconds)
        return self._kill() if code is None else self._ended(code)

    def _kill(self) -> Ended:
        os.kill(
            self._pid, signal.SIGKILL
        )  # a child that has ended is a zombie until it is waited for: no other has its id
        code = forks.wait(self._pid, LONGEST)
        assert code is not None
        return self._ended(code)

    def _ended(self, code: int) -> Ended:
        return Ended(code, self._said.read_text("utf-8") if self._said.exists() else "")


def run(place: Path, *overrides: str, faults: Sequence[Fault] = ()) -> Ended:
    """A run from its start to its end, by ``lrsched train OVERRIDES`` in the folder ``place``."""
    return Running(place, overrides, faults).end()


def resume(place: Path, *overrides: str, faults: Sequence[Fault] = ()) -> Ended:
    """``lrsched train resume=outputs/run`` in the folder ``place``."""
    return run(place, "resume=outputs/run", *overrides, faults=faults)


def folder(place: Path) -> RunFolder:
    """The run folder of a run in ``place``."""
    return RunFolder(place / "outputs" / "run")


@cache
def composed(*overrides: str) -> bytes:
    """Hydra's config of a command line, its own part included, pickled."""
    from hydra import compose, initialize_config_module

    from lrsched.compose.hydra_setup import register

    register()
    with initialize_config_module("lrsched.conf", version_base="1.3"):
        return pickle.dumps(compose("config", list(overrides), return_hydra_config=True))


def set_config(pickled: bytes) -> DictConfig:
    """Tell Hydra a composed config; return our part of it, as Hydra hands it to a run."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf, open_dict

    config = pickle.loads(pickled)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    OmegaConf.set_struct(config, True)
    return config


def _work(place: Path, config: bytes, faults: Sequence[Fault]) -> None:
    """Run our part of ``lrsched train``, in the child."""
    from lrsched.cli import open_door, run_config

    os.chdir(place)
    sys.argv = ["lrsched"]
    for fault in faults:
        fault()
    cfg = set_config(config)
    open_door(lambda: run_config(cfg))
