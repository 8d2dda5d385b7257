"""The length of a run: from its data, and without them. No torch here."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lrsched.config import schema
from lrsched.config.component import Component
from lrsched.config.given import InPlace
from lrsched.config.settings import Settings
from lrsched.config.walk import leaves
from lrsched.data.clock import Clock
from lrsched.data.counts import Counted, Pace, pace, training_samples
from lrsched.data.saved_rows import saved_rows
from lrsched.errors import ConfigError, DataError, UserError
from lrsched.horizon import Horizon, parse

LONGEST = 10**9
"""Steps of the longest run: its table of rates fills 8 GB."""

COUNTED = frozenset(f"lrsched.data.{name}" for name in ("ImageFolder", "ImageMasks", "Npz", "Table", "Text"))
"""Data sets whose ``count()`` tells how many samples their files hold; these are imported without torch."""


def run_horizon(trainer: schema.TrainerConfig, pace: Pace | Horizon) -> Horizon:
    """``trainer.steps``, or else ``trainer.epochs`` at the pace of the data."""
    steps = trainer.steps if trainer.steps is not None else trainer.epochs * pace.steps_per_epoch
    if steps > LONGEST:
        key, value = ("epochs", trainer.epochs) if trainer.steps is None else ("steps", trainer.steps)
        raise ConfigError(f"trainer.{key}", value, f"makes {steps:.3g} steps, and a run has at most {LONGEST:.0e}")
    return Horizon(steps, pace.steps_per_epoch, pace.samples_per_step)


def at_pace(horizon: Horizon, clock: Clock | None) -> Horizon:
    """The horizon of a scheduler in a run whose pace may have changed: its steps keep their time.

    In a run of ``trainer.steps`` nothing moves: its epochs are those of the first pace.
    """
    if clock is None or not clock.start:
        return horizon
    if clock.in_steps:
        first = clock.before[0].pace
        return replace(horizon, steps_per_epoch=first.steps_per_epoch, samples_per_step=first.samples_per_step)
    return replace(horizon, unit=clock.unit)


def evaluations_in(horizon: Horizon, every: int) -> int:
    """How many evaluations a run has, one after every ``every`` steps and one at its end."""
    return -(-horizon.steps // every)


def evaluated_epochs(horizon: Horizon, every: int) -> int:
    """How many whole epochs of a run have an evaluation in them or at their end.

    Evaluations lie at multiples of ``every`` and at the run's end.

    >>> [evaluated_epochs(Horizon(steps, 21), every) for steps, every in ((63, 20), (84, 45), (63, 99), (50, 45))]
    [3, 2, 1, 0]
    """
    epoch = horizon.steps_per_epoch
    whole = horizon.steps // epoch
    regular = whole * epoch // every
    own = horizon.steps == whole * epoch and regular * every <= (whole - 1) * epoch  # the last one, in an epoch alone
    return min(whole, regular + own)


def lengths(horizon: Horizon, evaluations: int) -> dict[str, int]:
    """How long a run is, in each of the intervals that a native scheduler can step in."""
    return {
        "step": horizon.steps,
        "epoch": math.ceil(horizon.steps / horizon.steps_per_epoch),
        "evaluation": evaluations,
    }


def foreseen(run: Settings, *, native: bool, count: bool = True) -> Horizon:
    """The horizon that training will have, from the counts in the config, or else in the files of the data set.

    Where neither says how many samples there are, a run of ``trainer.steps`` knows no epoch, and nothing may be
    measured in epochs or samples.

    Args:
        run: the settings.
        native: the scheduler is a class in PyTorch's form, which may be called after epochs.
        count: look into the files, where the config does not say.

    Raises:
        ConfigError: the samples are unknown and the run's length, or one in the scheduler, needs them.
        DataError: the files cannot be counted, and these need them.
    """
    try:
        samples = foreseen_samples(run, count=count)
    except DataError as error:
        try:
            return _without_epochs(run, native)
        except ConfigError:
            raise error from None
    return _without_epochs(run, native) if samples is None else run_horizon(run.trainer, pace_of(run, samples))


def foretold(run: Settings) -> Horizon | None:
    """The horizon of a run by its config and its files; None: the data will tell, or what is wrong."""
    with suppress(UserError):
        return foreseen(run, native=False)
    return None


def length_of(run: Settings) -> Horizon:
    """The horizon of a run; where its data alone tell it, they are loaded.

    Raises:
        ConfigError, DataError: the run cannot be made.
    """
    if found := foretold(run):
        return found
    if run.dataset.own.train_samples is not None or counted_in(run.dataset) is not None:
        return foreseen(run, native=False)  # says what is wrong
    from lrsched.assembly.data import load_data  # imports torch

    return run_horizon(run.trainer, pace_of(run, load_data(run)[0].samples))


def foreseen_samples(run: Settings, *, count: bool = True) -> int | None:
    """The training samples that a run will have, without the parts that are held out; None: its data alone tell.

    Raises:
        ConfigError, DataError: as for :func:`foreseen`.
    """
    node, own = run.dataset, run.dataset.own
    counted = counted_in(node) if count and own.train_samples is None else None
    try:
        if own.train_samples is not None:
            return samples_of(own, own.train_samples, given=frozenset(node.arguments))
        if counted is None:
            return None
        return training_samples(
            counted.train,
            int(counted.test),
            validation_fraction=None if counted.validation else own.validation,
            test_fraction=own.test,
            fold=own.fold,
            folds=own.folds,
            gap=counted.gap,
        )
    except ConfigError as error:
        raise error.under("dataset") from error


def counted_in(node: Component[Any]) -> Counted | None:
    """What the files of a data set hold, counted without loading them; None: that cannot be.

    Raises:
        ConfigError, DataError: as for loading them.
    """
    if isinstance(node, InPlace):
        return None
    if node.target == "lrsched.data.TorchDataset":
        return saved_rows(node.arguments)
    if node.target not in COUNTED:
        return None
    source = node.build()
    try:
        return source.count()
    except ConfigError as error:
        raise error.under(node.key) from error


def samples_of(own: schema.DatasetConfig, train: int, given: frozenset[str] = frozenset()) -> int:
    """The training samples that remain of ``train`` without the test and the validation part.

    Args:
        own: the reserved keys of the data set.
        train: samples of its training part.
        given: the parts that are data sets of their own, ``validation`` and ``test``: none is held out for them.
    """
    return training_samples(
        train,
        own.test_samples or int("test" in given),
        validation_fraction=None if "validation" in given else own.validation,
        test_fraction=own.test,
        fold=own.fold,
        folds=own.folds,
    )


def pace_of(run: Settings, samples: int) -> Pace:
    """The pace of a run over so many training samples."""
    trainer = run.trainer
    return pace(
        samples,
        batch_size=run.dataset.own.batch_size,
        accumulate=trainer.accumulate,
        limit=trainer.limit_batches,
        overfit=trainer.overfit_batches,
    )


def _without_epochs(run: Settings, native: bool) -> Horizon:
    rule = "the config does not say how many samples the data set holds"
    remedy = "write train_samples and test_samples into the data set's YAML, or give +dataset.train_samples=NUMBER"
    if run.trainer.steps is None:
        raise ConfigError("trainer.steps", None, rule, f"give trainer.steps=NUMBER; or {remedy}")
    found = leaves(run.scheduler.arguments)
    counted = [(f"scheduler.{key}", text) for key, text in found if isinstance(text, str)]
    if native and run.scheduler.arguments.get("interval", "epoch") == "epoch":
        raise ConfigError("scheduler.interval", "epoch", f"{rule}, so that epochs are unknown", remedy)
    for key, text in counted:
        try:
            unit = parse(text)[1]
        except ConfigError:
            continue  # not a duration
        if unit in ("ep", "sp"):
            raise ConfigError(key, text, f"{rule}, so that epochs are unknown", f"use % or st, or {remedy}")
    return Horizon(run.trainer.steps)
