"""``lrsched preview``: draw the schedule of a config before it is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from shutil import get_terminal_size

from hydra.errors import HydraException
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.cli.command import Parser, exit_code, write
from lrsched.compose.errors import as_user_error
from lrsched.compose.leaks import traced
from lrsched.compose.nodes import plain
from lrsched.compose.onto import for_stored
from lrsched.compose.outside import composed, hydra_of_ours
from lrsched.compose.overrides import parse, standing
from lrsched.config.run_id import key_of
from lrsched.config.settings import settings
from lrsched.console import say, tell, terminal
from lrsched.errors import ConfigError, UserError
from lrsched.preview.block import block
from lrsched.preview.course import Course, joined
from lrsched.preview.forecast import forecast
from lrsched.preview.plots import png
from lrsched.preview.rows import csv_text
from lrsched.runs.resume import run_folder, stored
from lrsched.sweep.combinations import words_of

WIDEST = 110
EXAMPLES = """\
examples:
  lrsched preview scheduler=cosine scheduler.warmup=5%
  lrsched preview scheduler=cosine,step,torch/OneCycleLR --png schedules.png
  lrsched preview scheduler=wsd scheduler.decay=10%,20%,40% trainer.epochs=200 --csv wsd.csv
  lrsched preview resume=outputs/RUN dataset.batch_size=256 checkpoint.allow_change=[dataset.batch_size]

The run's length follows from trainer.steps, or from trainer.epochs and the number of samples that the data set's
YAML names. Closed loops (plateau, greedy) are drawn as if nothing ever improved. With resume=RUN the whole run is
drawn, as it was until its newest checkpoint and as it will be from there on with these changes.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments), arguments)


def _run(arguments: Sequence[str]) -> None:
    options = parser().parse_intermixed_args(arguments)
    found = list(courses(options.overrides, options.config_dir))
    if options.png is not None:
        write(options.png, png(found, str(options.png)))
    if options.csv is not None:
        write(options.csv, csv_text(found).encode())
    tell(block(found, width=min(get_terminal_size().columns, WIDEST), colour=terminal()[1]))


def parser() -> Parser:
    """What the command takes."""
    about = "The schedule of exactly this config, without data or model."
    found = Parser("preview", description=about, epilog=EXAMPLES)
    several = "as for a run; several: scheduler=cosine,step"
    found.add_argument("overrides", nargs="*", metavar="key=value", help=several)
    found.add_argument("--png", type=Path, metavar="F", help="draw a picture (needs matplotlib)")
    table = "write step, epoch and every value that moves, a row for each step"
    found.add_argument("--csv", type=Path, metavar="F", help=table)
    found.add_argument("--config-dir", "-cd", metavar="D", help="more configs, in a folder of your own")
    return found


def courses(overrides: Sequence[str], folder: str | None) -> Iterator[Course]:
    """Draw the course of each combination of the values given.

    Args:
        overrides: as typed.
        folder: a folder with more configs, or None.

    Raises:
        ConfigError: a value cannot be used; the message names the combination.
    """
    with hydra_of_ours() as loader:
        left = standing(parse(overrides, loader))
        for job in dict.fromkeys(product(*map(words_of, left))):
            chosen = [word for override, word in zip(left, job, strict=True) if override.is_sweep_override()]
            try:
                yield _course(job, folder, [word for word in chosen if key_of(word) != "scheduler"])
            except (UserError, HydraException, OmegaConfBaseException) as error:
                known = as_user_error(error, job)
                if not chosen or not isinstance(known, ConfigError):
                    raise known from error
                rule = f"{known.rule} (with {' '.join(chosen)})"
                raise ConfigError(known.key, known.value, rule, known.remedy) from error


def _course(words: Sequence[str], folder: str | None, others: list[str]) -> Course:
    """Compose and check the config of these overrides as a run does, and draw its course."""
    overrides = for_stored(words)
    run = composed(overrides, folder, key="--config-dir")
    choice = str(run.hydra.runtime.choices.scheduler)
    with open_dict(run):
        del run["hydra"]
    if run.get("resume") is None:
        known = settings(plain(run))
        with traced(known):
            return _warned(forecast(known, " ".join([choice, *others])))
    from lrsched.runs.eras import eras  # imports torch

    request = stored(run_folder(str(run.resume)), run, overrides)
    name, known = " ".join([str(run.resume), *others]), settings(plain(request.config))
    with traced(known):
        found = [(era.start, forecast(era.run, name, era.clock)) for era in eras(known, request)]
        return _warned(joined(found) if found else forecast(known, name))


def _warned(course: Course) -> Course:
    for caution in course.cautions:
        say(f"warning: {caution}")
    return course
