"""Another process of a run, started by rank 0 on this machine."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading

from lrsched.imports import collector_at_rest
from lrsched.ranks.children import leave_with
from lrsched.ranks.place import given_place
from lrsched.signals import stop_flag


def main() -> None:
    """Import what a run needs, be told where rank 0 is, and take part."""
    leave_with(int(sys.argv[1]))
    faulthandler.enable()
    stop = stop_flag()
    with stop, stop.patient():  # a signal to all processes comes here too: the run stops at rest
        with collector_at_rest():
            from lrsched.runs.together.follow import follow, leave
        words = sys.stdin.readline()
        if not words:
            leave(0)
        os.environ.update(json.loads(words))
        threading.Thread(target=_leave_at_end, daemon=True).start()
        place = given_place()
        assert place is not None
        leave(follow(place, stop))


def _leave_at_end() -> None:
    """End this process with the one that started it, where the system does not: the pipe from it ends."""
    while os.read(0, 1024):  # sys.stdin has a lock, which a process that is forked meanwhile would wait for
        pass
    threading.Event().wait(10.0)
    os._exit(1)


if __name__ == "__main__":
    main()
