"""``lrsched preview``: the schedule of exactly this config, looked at before it is run."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NoReturn

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.cli.hydra_setup import register
from lrsched.compose.errors import complaint, hydras_own
from lrsched.compose.nodes import plain
from lrsched.config.settings import settings
from lrsched.console import say, tell, terminal
from lrsched.errors import UNSET, ConfigError, StorageError, UserError
from lrsched.preview.block import block
from lrsched.preview.course import Course
from lrsched.preview.forecast import forecast
from lrsched.preview.plots import png
from lrsched.preview.rows import csv_text
from lrsched.records import write_atomically
from lrsched.runs.resume import run_folder, stored
from lrsched.sweep.combinations import values_of

WIDEST = 110
EXAMPLES = """\
examples:
  lrsched preview scheduler=cosine scheduler.warmup=5%
  lrsched preview scheduler=cosine,step,torch/OneCycleLR --png schedules.png
  lrsched preview scheduler=wsd scheduler.decay=10%,20%,40% trainer.epochs=200 --csv wsd.csv

The run's length follows from trainer.steps, or from trainer.epochs and the number of samples that the data set's
YAML names. Closed loops (plateau, greedy) are drawn as if nothing ever improved.
"""


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError("preview", UNSET, message, "lrsched preview --help shows what it takes")


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code. A user's mistake is one message."""
    try:
        _run(arguments)
    except (UserError, HydraException, OmegaConfBaseException, ValueError, OverflowError) as error:
        if not isinstance(error, UserError) and not hydras_own(error):
            raise
        known = error if isinstance(error, UserError) else complaint(error)
        say(str(known))
        return known.exit_code
    return 0


def _run(arguments: Sequence[str]) -> None:
    options = _parser().parse_intermixed_args(arguments)
    found = list(courses(options.overrides, options.config_dir))
    for file, content in ((options.png, png), (options.csv, lambda some, _: csv_text(some).encode())):
        if file is not None:
            _write(file, content(found, file))
    _, colour = terminal()
    tell(block(found, width=min(shutil.get_terminal_size().columns, WIDEST), colour=colour))


def _parser() -> argparse.ArgumentParser:
    parser = _Arguments(
        prog="lrsched preview",
        description="The schedule of exactly this config, without data or model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="as for a run; several: scheduler=cosine,step"
    )
    parser.add_argument("--png", metavar="F", help="draw a picture (needs matplotlib)")
    parser.add_argument("--csv", metavar="F", help="write step, epoch and every value that moves, a row for each step")
    parser.add_argument("--config-dir", "-cd", metavar="D", help="more configs, in a folder of your own")
    return parser


def courses(overrides: Sequence[str], folder: str | None) -> Iterator[Course]:
    """A course for each combination of the values given.

    Args:
        overrides: as on the command line.
        folder: of more configs, or None.

    Raises:
        ConfigError: a value that cannot be used, with the choice that it cannot be used with.
    """
    register()
    with initialize_config_module("lrsched.conf", version_base="1.3"):
        extra = [f"hydra.searchpath=['file://{_existing(folder)}']"] if folder is not None else []
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        parsed = parser.parse_overrides(list(overrides))
        swept = [item for item in parsed if item.is_sweep_override()]
        fixed = [str(item.input_line) for item in parsed if not item.is_sweep_override()]
        several = [list(dict.fromkeys(values_of(item))) for item in swept]
        for values in product(*several):
            chosen = [f"{item.get_key_element()}={value}" for item, value in zip(swept, values, strict=True)]
            try:
                yield _course([*extra, *fixed, *chosen], [text for text in chosen if text.split("=")[0] != "scheduler"])
            except (UserError, HydraException, OmegaConfBaseException) as error:
                known = error if isinstance(error, UserError) else complaint(error)
                if not chosen or not isinstance(known, ConfigError):
                    raise known from error
                rule = f"{known.rule} (with {' '.join(chosen)})"
                raise ConfigError(known.key, known.value, rule, known.remedy) from error


def _course(overrides: list[str], others: list[str]) -> Course:
    """Compose, check and look ahead, as a run of these overrides would."""
    cfg = compose("config", overrides=overrides, return_hydra_config=True)
    choice, asked = str(cfg.hydra.runtime.choices.scheduler), overrides  # as typed: not to be resolved
    run = _without_hydra(cfg)
    if run.get("resume") is not None:  # a run that is to be continued, at another length perhaps
        choice, run = str(run.resume), stored(run_folder(str(run.resume)), run, asked).config
    return forecast(settings(plain(run)), " ".join([choice, *others]))


def _without_hydra(cfg: DictConfig) -> DictConfig:
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def _existing(folder: str) -> str:
    path = Path(folder).absolute()
    if not path.is_dir():
        raise ConfigError("--config-dir", folder, "there is no such folder")
    return str(path)


def _write(file: str, content: bytes) -> None:
    try:
        write_atomically(Path(file), content)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from error
