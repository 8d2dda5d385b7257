"""Lead the other processes of a run, as rank 0."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.ranks.world import ALONE, World
from lrsched.runs.newest import Newest
from lrsched.runs.request import RunRequest
from lrsched.runs.together.tell import Told
from lrsched.signals import StopFlag


def speak_last(world: World, write: Callable[[str], None]) -> None:
    """Say what is written where this process is ended because it may wait for a lost one for ever.

    Args:
        world: the processes.
        write: the result; called with what became of the lost one.
    """

    def speak(said: str) -> None:
        say(said)
        write(said)

    if world.guard is None:
        return
    from lrsched.ranks.line import Line

    if isinstance(world.guard, Line):
        world.guard.last_words = speak


@contextmanager
def led(run: Settings, request: RunRequest, saved: Newest | None, stop: StopFlag) -> Generator[World]:
    """The processes of a run, which know its settings; they leave at the end of the context.

    Args:
        run: the settings.
        request: says where this process stands.
        saved: the checkpoint that the run goes on from, or None.
        stop: raised by a signal.

    Raises:
        RankLost: another process has ended.
    """
    if request.place.size == 1:
        yield ALONE
        return
    from lrsched.ranks.join import joined  # where there are others

    with joined(request.place, run.device, stop.check) as world:
        earlier = None if saved is None else saved.earlier
        world.tell(lambda: Told(run, earlier, tuple(request.context.share.keep)))
        yield world
