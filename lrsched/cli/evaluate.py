"""``lrsched evaluate``: the metrics of a run's weights, computed anew. Changes nothing on disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lrsched.cli.command import Parser, exit_code, write
from lrsched.config.targets import trusted
from lrsched.console import tell
from lrsched.python.finished import Run
from lrsched.records import RunFolder
from lrsched.runs.resume import must_hold_a_run
from lrsched.units import count

EPILOG = """\
examples:
  lrsched evaluate outputs/first
  lrsched evaluate outputs/first --weights best --part val --json best.json
  lrsched evaluate outputs/cycles --weights snapshots

The model is built from the run's own config, and the data set is loaded and split as in training. On the machine and
with the threads of the run, the metrics are those of its result.json to the last bit.

exit code: 0 done; 2 no run, or what its config names cannot be used; 3 a metric is not finite; 4 no valid checkpoint,
or the data or config are others than those it was made with; 6 the file system refused.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> None:
    options = parser().parse_intermixed_args(arguments)
    folder = RunFolder(options.folder)
    must_hold_a_run("RUN_FOLDER", folder)
    if trusted():  # a trusted module may lie in the current folder
        sys.path.insert(0, "")
    from lrsched.python.rebuild import PARTS, Rebuilt, stored_settings  # imports torch
    from lrsched.runs.weights import check_weights, is_ensemble
    from lrsched.train.environment import prepare

    check_weights(options.weights)
    run, _ = stored_settings(folder)
    prepare(run.device, run.threads, run.trainer.deterministic)
    parts = Rebuilt.of(folder)
    found, step = Run(options.folder, parts=parts).evaluated(options.part, options.weights)
    if options.json is not None:
        write(options.json, (json.dumps(found, indent=2, allow_nan=False) + "\n").encode(), folder=True)
    together = is_ensemble(options.weights)
    which = f"{count(step, 'snapshot')} together" if together else f"{options.weights} weights, of step {step}"
    tell(f"{options.folder}: {which}, on the {PARTS[options.part]} part")
    names = {name.partition("/")[2]: value for name, value in found.items()}
    for name, value in names.items():
        tell(f"  {name:<{max(map(len, names))}}  {parts.in_words(name, value)}")


def parser() -> Parser:
    """What the command takes."""
    about = "Compute the metrics of a run's weights. Nothing in its folder is changed."
    found = Parser("evaluate", description=about, epilog=EPILOG)
    found.add_argument("folder", type=Path, metavar="RUN_FOLDER", help="as outputs/first")
    kinds = "last: of the newest checkpoint (default); best: of the best evaluation by checkpoint.monitor; "
    kinds += "average: of a run with average=NAME; snapshots: all that the run has kept, together; snapshots:3: the "
    kinds += "latest three; snapshot:STEP: one"
    found.add_argument("--weights", default="last", help=kinds)
    found.add_argument("--part", choices=("test", "val"), default="test", help="of the data; default: test")
    found.add_argument("--json", type=Path, metavar="F", help='write the metrics: {"test/loss": …}')
    return found
