"""A command that torchrun, or a cluster, has started in several processes: one gives the command, the others follow."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

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
