"""A command that torchrun, or a cluster, has started in several processes: one gives the command, the others follow."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from lrsched.errors import ConfigError
from lrsched.ranks.place import KEY, given_place
from lrsched.signals import StopFlag

SWEEPS = ("-m", "--multirun", "hydra.mode=MULTIRUN")
"""Words that make a command a sweep."""


@contextmanager
def taking_part(words: Sequence[str], stop: StopFlag) -> Generator[int | None]:
    """Around a command: as another process than rank 0, take part in its run first.

    Args:
        words: of the command line.
        stop: raised by a signal.

    Yields:
        The exit code of a process that has taken part; None: this one has the command to give.

    Raises:
        ConfigError: the processes cannot make this together.
    """
    place = given_place()
    if place is None:
        yield None
        return
    if any(word in SWEEPS for word in words):
        if place.rank:  # rank 0 says it
            yield ConfigError.exit_code
            return
        remedy = f"start it without torchrun: {KEY}={place.size} gives each run as many processes"
        raise ConfigError("-m", place.size, "a sweep starts its runs itself, and torchrun has started these", remedy)
    if place.rank:
        from lrsched.runs.together.follow import follow

        with stop.patient():
            yield follow(place, stop)
        return
    from lrsched.ranks.join import meeting_point

    with meeting_point(place):
        yield None


def tasks_as_ranks() -> bool:
    """Whether submitit has started several tasks of this job: then the environment says where this one stands.

    A cluster's own variables do not say it for sure: a script of several tasks may start this program once.
    """
    submitit: Any = sys.modules.get("submitit")
    with suppress(RuntimeError):  # it is no job of submitit's
        if submitit is not None and submitit.JobEnvironment().num_tasks > 1:
            helpers: Any = import_module("submitit.helpers")
            helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
            return True
    return False
