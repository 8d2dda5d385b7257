"""Lead the other processes of a run, as rank 0."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from lrsched.config.settings import Settings
from lrsched.ranks.join import joined
from lrsched.ranks.world import World
from lrsched.runs.newest import Newest
from lrsched.runs.request import RunRequest
from lrsched.runs.together.tell import Told
from lrsched.signals import StopFlag

log = logging.getLogger("lrsched")


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
    with joined(request.place, run.device, stop.check) as world:
        earlier = None if saved is None else saved.earlier
        world.tell(lambda: Told(run, earlier, tuple(request.context.share.keep)))
        yield world
