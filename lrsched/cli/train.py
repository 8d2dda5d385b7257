"""``lrsched train``: check the flags, call Hydra, turn errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from lrsched.cli.flags import COMPLETION, config_dir, flags_first
from lrsched.cli.help import HELP, WHOLE, show_help
from lrsched.cli.torchrun import taking_part
from lrsched.compose.choices import refuse_hidden
from lrsched.compose.errors import RAISED, as_user_error
from lrsched.compose.hydra_setup import call, register
from lrsched.compose.onto import for_stored
from lrsched.config.project import with_own_configs
from lrsched.console import forgive_readers, say
from lrsched.machine.waiting import wait_shortly
from lrsched.signals import stop_flag


def open_door(main: Callable[[], Any], arguments: Sequence[str] | None = None) -> None:
    """Call a ``@hydra.main`` function; print a user's mistake as one message, and exit with its code.

    Hydra reports errors itself and exits with 1, unless HYDRA_FULL_ERROR asks for the bare exception. So this sets it,
    and reports; a person who had set it gets the traceback too.

    Args:
        main: the function.
        arguments: its command line; that of the process by default.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    forgive_readers()
    wait_shortly()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register()
    stop = stop_flag()
    stop.lower()
    try:
        with stop, taking_part(words, stop) as followed:
            if followed is not None:
                sys.exit(followed)
            words = flags_first(with_own_configs(words))
            more = config_dir(words)
            if more is not None:
                refuse_hidden(more, "--config-dir")
            if COMPLETION[0] in words and _answered(words, main):
                return
            if HELP in words or WHOLE in words:
                show_help(main, words)
            else:
                call(main, for_stored(words))
            stop.check()  # a launcher may have caught what a signal raised in it
    except RAISED as failure:
        error = as_user_error(failure, words)
        if wants_traceback:
            traceback.print_exc()
        say(f"{error}{error.hint}")
        sys.exit(error.exit_code)


def _answered(words: Sequence[str], main: Callable[[], Any]) -> bool:
    from lrsched.cli.replies import answer  # for a shell alone

    return answer(words, main, ())
