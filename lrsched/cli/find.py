"""``lrsched find``: look for the learning rate before a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.cli.command import Parser, exit_code, write
from lrsched.cli.job import run_config
from lrsched.console import tell
from lrsched.finder.look import look
from lrsched.finder.request import requests_of
from lrsched.picture import refuse_undrawable
from lrsched.signals import stop_flag

if TYPE_CHECKING:
    from lrsched.sweep.launchers.choose import Launch

EXAMPLES = """\
examples:
  lrsched find experiment=mnist_cnn name=rate                short runs of its schedule, and the rate for its own length
  lrsched find experiment=mnist_cnn scheduler=cosine,wsd,onecycle name=which      the rate of each, and which is best
  lrsched find experiment=mnist_cnn name=rate --png rate.png      and the losses of all runs over the rate, as a picture
  lrsched find method=range                                  the default run: three ramps of 100 updates
  lrsched find method=range experiment=mnist_cnn find.seeds=5 --png range.png
  lrsched find method=range find.shape=linear find.low=0.001 find.high=0.3 find.steps=1000
  lrsched find method=range '+optimizer.groups={head: {params: head.*}}' find.group=head
  lrsched find method=grid experiment=mnist_cnn find.seeds=2 name=rates

keys of its own (a run knows none of them):
  find.method   horizon: short runs of the same schedule, of three lengths, and the best rate carried on to the run's
                own; range: ramps of the rate over some updates; grid: whole runs, coarse to fine.
                method=grid is short for find.method=grid
  find.seeds    how many, from seed on (3): each has weights and an order of the data of its own
  find.budget   the most it may cost: steps (4000st), or a part of a full grid of find.rates x find.seeds runs (50%)
                (horizon: 15%; range: no limit; grid: 300%)
  find.rates    of a full grid (7); where the best is the first or the last, method=grid goes beyond
  find.horizons horizon: lengths of the short runs, rising: updates or parts of the run ([100st,500st], [5%,12%,30%]);
                null: three that the budget allows. Without find.budget they cost what ten rates at the first and
                three at each other take
  find.refine   grid: how many times to look between the best and its neighbours (2)
  find.low      the lowest rate to look at (range: 1e-7; grid: a thirtieth of optimizer.lr)
  find.high     the highest rate (range: 10; grid: thirty times optimizer.lr)
  find.steps    range: updates of a ramp (100)
  find.shape    range: exponential, or linear (Smith's)
  find.stop     range: a ramp ends when the smoothed loss is this many times its best (4); null: at its end
  find.smooth   range: of the mean of the losses so far, what is left of one after another update (0.98)
  find.group    range: the entry of optimizer.groups whose rate to find, instead of optimizer.lr

The answer is printed, with the override to paste, and lies in outputs/NAME/find.json. A range test leaves
nothing else behind: a run afterwards is what it would have been without. The others leave their runs, those of a sweep,
in the same folder; the same command goes on where they stood.

exit code: 0 done; 1 a run did not finish; 2 bad config or data; 6 the file system refused; 128+n stopped by signal n.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments), arguments)


def _run(arguments: Sequence[str]) -> None:
    options = parser().parse_intermixed_args(arguments)
    with stop_flag().alone() as stop:
        several = requests_of(options.overrides, options.config_dir)
        if options.png is not None:
            refuse_undrawable(options.png, several[0].folder)  # before hours are spent
        looked = look(several, stop, _launching)
        tell(looked.text)
        if options.png is not None:
            write(options.png, looked.draw(str(options.png)))


def _launching(words: Sequence[str]) -> AbstractContextManager[Launch]:
    from lrsched.sweep.launchers.choose import launching

    return launching(words, run_config)


def parser() -> Parser:
    """What the command takes."""
    found = Parser("find", description="Find the learning rate of exactly this config.", epilog=EXAMPLES)
    found.add_argument(
        "overrides", nargs="*", metavar="key=value", help="as for a run, and keys of its own: --help=all"
    )
    found.add_argument("--png", type=Path, metavar="F", help="draw the losses over the rate (needs matplotlib)")
    found.add_argument("--config-dir", "-cd", metavar="D", help="more configs, in a folder of your own")
    return found
