"""``lrsched watch``: the page of a report, live, for a browser on this machine."""

from __future__ import annotations

import argparse
import errno
from collections.abc import Sequence
from pathlib import Path

from lrsched.cli.command import Parser, exit_code
from lrsched.cli.report import target
from lrsched.console import say, tell
from lrsched.errors import ConfigError
from lrsched.report.folders import unread
from lrsched.report.report import target_told
from lrsched.signals import stop_flag
from lrsched.watch.live import Live, Question
from lrsched.watch.server import Server

EXAMPLES = """\
examples:
  lrsched watch outputs/sweep
  lrsched watch outputs/first outputs/second --metric val/accuracy --port 8123

Prints the address of the page: open it in a browser on this machine. New rows show by themselves, within seconds.
Only this machine can reach it, and only who knows the address, which holds a random token. Nothing is written, no file
is served, nothing outside the given folders is shown. Ctrl-C ends it.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> None:
    options = parser().parse_intermixed_args(arguments)
    with stop_flag().alone():
        live = Live(Question(options.paths, options.metric, options.mode, options.target))
        if isinstance(options.target, float) and options.metric is None:
            say(target_told(live.metric, options.target))
        for passed in unread(options.paths):
            say(f"warning: {passed}")
        with _server(live, options.port) as server:
            tell(server.address)
            say("the address above is good until Ctrl-C; open it in a browser on this machine")
            serve(server)


def serve(server: Server) -> None:
    """Answer until a signal comes.

    It waits until the server is at rest: raised on the spot it could come while a request is taken, and the library,
    which takes any error there for one of that request, would pass over it and go on for ever.

    Raises:
        Stopped: a signal came.
    """
    with stop_flag().patient():
        server.serve_forever(poll_interval=0.2)


def _server(live: Live, port: int) -> Server:
    try:
        return Server(live, port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        rule = f"it cannot be listened on: {error.strerror}"
        raise ConfigError("--port", port, rule, "give another one, or none for one that is free") from error


def parser() -> Parser:
    """What the command takes."""
    about = "Show runs and sweeps in a browser while they go on: the page of lrsched report, live."
    found = Parser("watch", description=about, epilog=EXAMPLES)
    found.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a run folder, or a folder that holds some")
    found.add_argument("--port", type=_port, default=0, metavar="N", help="to listen on; by default one that is free")
    found.add_argument("--metric", metavar="M", help="what to compare: val/loss, val/accuracy, test/accuracy, …")
    found.add_argument("--mode", choices=("min", "max"), help="which way is better, if the metric's name does not say")
    steps = "steps until the metric (val/loss, or --metric) reaches X; auto: what every schedule reaches"
    found.add_argument("--target", type=target, metavar="X", help=steps)
    return found


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)
