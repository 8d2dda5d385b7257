"""From a command line to runs: Hydra called with our flags, messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lrsched.cli.flags import check_flags
from lrsched.cli.help import FLAGS, show_help
from lrsched.cli.hydra_setup import register
from lrsched.compose.errors import complaint, hydras_own
from lrsched.console import forgive_readers, say
from lrsched.errors import UserError
from lrsched.signals import stop_flag


def open_door(main: Callable[[], Any]) -> None:
    """Call a ``@hydra.main`` function; a user's mistake is one message and exit code 2.

    Hydra reports errors itself and exits with 1, unless HYDRA_FULL_ERROR asks for the bare exception.
    We ask, and report; a person who asks gets the traceback as well.
    """
    forgive_readers()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register()
    stop = stop_flag()
    stop.lower()
    try:
        with stop:
            if any(flag in sys.argv[1:] for flag in FLAGS):
                show_help(main)
            else:
                check_flags(sys.argv[1:])
                main()
            stop.check()  # a launcher may have caught what a signal raised in it
    except (UserError, HydraException, OmegaConfBaseException, ValueError, OverflowError) as error:
        if not isinstance(error, UserError) and not hydras_own(error):
            raise
        if wants_traceback:
            traceback.print_exc()
        known = error if isinstance(error, UserError) else complaint(error)
        say(f"{known}{known.hint}")
        sys.exit(known.exit_code)
