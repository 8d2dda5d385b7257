"""``lrsched find``: look for the learning rate before a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size

from lrsched.cli.command import Parser, exit_code, write
from lrsched.console import say, tell, terminal
from lrsched.find.request import FindRequest, refuse_taken, request_of
from lrsched.imports import collector_at_rest
from lrsched.signals import StopFlag, stop_flag

WIDEST = 110
EXAMPLES = """\
examples:
  lrsched find method=range                                  the default run: three ramps of 100 updates
  lrsched find method=range experiment=mnist_cnn find.seeds=5 --png range.png
  lrsched find method=range find.shape=linear find.low=0.001 find.high=0.3 find.steps=1000
  lrsched find method=range '+optimizer.groups={head: {params: head.*}}' find.group=head

keys of its own (a run knows none of them):
  find.method   range. method=range is short for find.method=range
  find.low      the lowest rate to look at (1e-7)
  find.high     the highest rate (10)
  find.seeds    how many, from seed on (3): each has weights and an order of the data of its own
  find.budget   the most it may cost: steps (4000st), or a part of a full grid of find.rates (7) x find.seeds runs (50%)
  find.steps    updates of a ramp (100)
  find.shape    exponential, or linear (Smith's)
  find.stop     a ramp ends when the smoothed loss is this many times its best (4); null: at its end
  find.smooth   of the mean of the losses so far, what is left of one after another update (0.98)
  find.group    the entry of optimizer.groups whose rate to find, instead of optimizer.lr

The answer is printed, with the override to paste, and lies in outputs/NAME/find.json. Nothing else is left behind: a
run afterwards is what it would have been without.

exit code: 0 done; 2 bad config or data; 6 the file system refused; 128+n stopped by signal n, with nothing written.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments), arguments)


def _run(arguments: Sequence[str]) -> None:
    options = _parser().parse_intermixed_args(arguments)
    with stop_flag().alone() as stop:
        asked = request_of(options.overrides, options.config_dir)
        _by_range(asked, options.png, stop)


def _parser() -> Parser:
    parser = Parser("find", description="Find the learning rate of exactly this config.", epilog=EXAMPLES)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as for a run, and the keys below")
    parser.add_argument("--png", type=Path, metavar="F", help="draw a picture (needs matplotlib)")
    parser.add_argument("--config-dir", "-cd", metavar="D", help="more configs, in a folder of your own")
    return parser


def _by_range(asked: FindRequest, picture: Path | None, stop: StopFlag) -> None:
    from lrsched.find.range import answer, range_test
    from lrsched.find.show import block, png

    refuse_taken(asked.folder)
    if picture is not None:
        from lrsched.picture import panels

        panels(str(picture), 1, [1.0])  # refuse what cannot be drawn before hours are spent
    with collector_at_rest():
        from lrsched.python.undisturbed import undisturbed  # imports torch
    with undisturbed():
        test = range_test(asked, stop)
    found = answer(asked, test)
    file = found.write(asked.folder)
    if picture is not None:
        write(picture, png(test, str(picture)))
    tell(block(test, min(get_terminal_size().columns, WIDEST), terminal()[1]))
    for caution in test.disagreements:
        say(f"warning: {caution}")
    tell(f"\n{found.override}   ({found.method}, {file}; cost {asked.told(found.cost_steps)})")
