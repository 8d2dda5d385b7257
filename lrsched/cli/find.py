"""``lrsched find``: look for the learning rate before a run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size

from lrsched.assembly.horizon import foretold
from lrsched.cli.command import Parser, exit_code, write
from lrsched.cli.job import run_config
from lrsched.compose.leaks import traced
from lrsched.compose.outside import hydra_of_ours, in_folder
from lrsched.console import say, tell, terminal
from lrsched.errors import ConfigError
from lrsched.finder.answer import Answer
from lrsched.finder.request import FindRequest, as_one_of, question, refuse_other_answer, refuse_taken, requests_of
from lrsched.imports import collector_at_rest
from lrsched.page import write_page
from lrsched.picture import refuse_undrawable
from lrsched.preview.forecast import forecast
from lrsched.signals import StopFlag, stop_flag
from lrsched.units import unit_of

WIDEST = 110
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
    options = _parser().parse_intermixed_args(arguments)
    with stop_flag().alone() as stop:
        several = requests_of(options.overrides, options.config_dir)
        if options.png is not None:
            refuse_undrawable(options.png, several[0].folder)  # before hours are spent
        if several[0].find.method == "range":
            _by_range(several, options.png, stop)
        else:
            _by_runs(several, options, stop)


def _parser() -> Parser:
    parser = Parser("find", description="Find the learning rate of exactly this config.", epilog=EXAMPLES)
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="as for a run, and keys of its own: --help=all"
    )
    parser.add_argument("--png", type=Path, metavar="F", help="draw the losses over the rate (needs matplotlib)")
    parser.add_argument("--config-dir", "-cd", metavar="D", help="more configs, in a folder of your own")
    return parser


def _by_range(several: Sequence[FindRequest], picture: Path | None, stop: StopFlag) -> None:
    from lrsched.finder.ramps.range import ALIKE, answer, of_each, range_test
    from lrsched.finder.ramps.show import block, png

    asked = replace(several[0], rivals=1)  # one test: the ramp takes the place of any schedule
    refuse_taken(asked.folder)
    with collector_at_rest():
        from lrsched.python.undisturbed import undisturbed  # imports torch
    with undisturbed():
        test = range_test(asked, stop)
    found = answer(asked, test)
    if len(several) > 1:
        found = of_each(several, found)
        say(f"warning: {ALIKE}")
    file = found.write(asked.folder)
    if picture is not None:
        write(picture, png(test, str(picture)))
    shown = block(test, min(get_terminal_size().columns, WIDEST), terminal()[1])
    for caution in test.disagreements:
        say(f"warning: {caution}")
    _answered(asked, found, file, [shown])


def _by_runs(several: Sequence[FindRequest], options: Namespace, stop: StopFlag) -> None:
    """By runs of a sweep: a grid, or short runs."""
    asked = several[0]
    method, run = asked.find.method, asked.runs[0]
    if run.sweep.until is not None:
        rule = f"pauses the runs, and find.method={method} compares their ends"
        raise ConfigError("sweep.until", run.sweep.until, rule, "leave it out")
    with hydra_of_ours():
        refuse_other_answer(several)
        asks = question(several)
    for each in several:
        if foretold(each.runs[0]) is not None:
            with as_one_of(each.own), traced(each.runs[0]):
                forecast(each.runs[0], each.runs[0].scheduler.target)  # refuse a schedule that cannot be
    with collector_at_rest():
        from lrsched.finder import compare, grid, horizon  # imports torch
        from lrsched.finder.pictures.rates import Panel, draw
        from lrsched.finder.trained import Trained
        from lrsched.python.undisturbed import undisturbed
        from lrsched.sweep.launchers.choose import launching
    words = in_folder([*asked.words, f"name={asked.folder.name}"], options.config_dir)  # now() moves
    with undisturbed(), hydra_of_ours(), launching(words, run_config) as launch:
        trained = [Trained(launch, run, stop, asks, asked.own, method == "horizon")]
        trained += [
            Trained(launch, each.runs[0], stop, asks, each.own, shared=trained[0].sweep) for each in several[1:]
        ]
        shown = list[Panel]()
        if len(several) > 1:
            compared = (compare.by_grid if method == "grid" else compare.by_short_runs)(several, trained)
            found, lines, warned = compared.answer, compared.table(), []
            shown = [Panel(r.asked.scheduler, r.answer, asked.seeds, r.predicted) for r in compared.rivals]
        elif method == "grid":
            whole = grid.Grid(asked, trained[0])
            whole.search()
            found, lines, warned = whole.answer(), whole.table(), whole.cautions()
        else:
            short = horizon.search(asked, trained[0])
            found, lines = short.answer, horizon.table(short, asked.seeds)
            warned = horizon.cautions(short.found, short.answer.candidates)
    for caution in warned:
        say(f"warning: {caution}")
    file = found.write(asked.folder)
    write_page(asked.folder)  # the sweep wrote it before there was an answer
    _answered(asked, found, file, lines)
    if options.png is not None:
        metric, less = run.checkpoint.monitor, trained[0].sign == 1
        unit = unit_of(metric, trained[0].units)
        shown = shown or [Panel(asked.scheduler, found, asked.seeds)]
        write(options.png, draw(shown, metric, unit, str(options.png), less_is_better=less))


def _answered(asked: FindRequest, found: Answer, file: Path, lines: Sequence[str]) -> None:
    tell("\n".join([*lines, "", f"{found.override}   ({found.method}, {file}; cost {asked.told(found.cost_steps)})"]))
