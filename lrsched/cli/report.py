"""``lrsched report``: compare runs and sweeps by what they left behind."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lrsched.cli.command import Parser, exit_code, refuse_records, write
from lrsched.console import say, tell, terminal
from lrsched.errors import ConfigError
from lrsched.report import compare_paths, render
from lrsched.report.folders import folders, unread
from lrsched.report.json import numbers
from lrsched.report.pictures.draw import pictures
from lrsched.report.report import target_told
from lrsched.report.tables.typeset import FORMS, beside_table, typeset

EXAMPLES = """\
examples:
  lrsched report outputs/sweep
  lrsched report outputs/first outputs/second --metric val/accuracy --target 0.95
  lrsched report outputs/sweep --html report.html --json report.json --png pictures
  lrsched report outputs/sweep --table latex > table.tex

Each schedule is taken at its own best learning rate, chosen by the mean over the seeds of the validation metric, and
compared seed against seed: the sign-flip test and its interval. Whatever else differs in the configs makes schedules
of their own; another model or other data are compared apart.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> None:
    options = parser().parse_intermixed_args(arguments)
    if options.html is not None and options.html == options.json:
        raise ConfigError("--html", str(options.html), "is the file of --json too", "give each a name of its own")
    found = compare_paths(options.paths, options.metric, options.mode, options.target)
    if isinstance(options.target, float) and options.metric is None:
        say(target_told(found.metric, options.target))
    for passed in unread(folders(found.runs, options.paths)):
        say(f"warning: {passed}")
    files: dict[Path, bytes] = {}
    if options.json is not None:
        text = json.dumps(numbers(found), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        files[options.json] = text.encode()
    if options.html is not None:
        from lrsched.page.page import page  # and its templates, where one is asked for

        files[options.html] = page(found, options.paths).encode()
    if options.png is not None:
        files |= {options.png / name: content for name, content in pictures(found, str(options.png)).items()}
    refuse_records(*files)
    for file, content in files.items():
        write(file, content, folder=True)
    if options.table is None:
        tell(render(found, *terminal()).removesuffix("\n"))
        return
    for said in beside_table(found):
        say(said)
    tell(typeset(found, options.table).removesuffix("\n"))


def parser() -> Parser:
    """What the command takes."""
    about = "Compare runs and sweeps: each schedule at its best learning rate, seed against seed."
    found = Parser("report", description=about, epilog=EXAMPLES)
    found.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a run folder, or a folder that holds some")
    found.add_argument("--metric", metavar="M", help="what to compare: val/loss, val/accuracy, test/accuracy, …")
    found.add_argument("--mode", choices=("min", "max"), help="which way is better, if the metric's name does not say")
    steps = "steps until the metric (val/loss, or --metric) reaches X; auto: what every schedule reaches"
    found.add_argument("--target", type=target, metavar="X", help=steps)
    found.add_argument(
        "--html", type=Path, metavar="F", help="write a page with tables and curves, to open in a browser"
    )
    table = "print the table alone, in this form: for a page, a paper (booktabs), a spreadsheet"
    found.add_argument("--table", choices=FORMS, help=table)
    found.add_argument("--json", type=Path, metavar="F", help="write all numbers")
    found.add_argument(
        "--png", type=Path, metavar="FOLDER", help="draw curves.png, rates.png and target.png (needs matplotlib)"
    )
    return found


def target(text: str) -> float | str:
    """A target as typed: a number, or ``auto``."""
    if text == "auto":
        return text
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor auto")
