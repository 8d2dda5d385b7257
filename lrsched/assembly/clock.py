"""The clock of a run that goes on: from that of its checkpoint, and from what its data and settings are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from lrsched.assembly.horizon import pace_of, samples_of
from lrsched.config.schema import DatasetConfig
from lrsched.config.settings import Settings
from lrsched.data.clock import Clock
from lrsched.data.loader import Loader, order
from lrsched.data.split import Splits
from lrsched.errors import ConfigError
from lrsched.horizon import half_up


@dataclass(frozen=True)
class Earlier:
    """A run as its checkpoint knows it.

    Args:
        settings: of the checkpoint.
        step: completed updates.
        passed: batches passed over.
        clock: as saved, or None in a checkpoint of 0.1.0.
        data_sha256: hash of its data.
    """

    settings: Settings
    step: int
    passed: int
    clock: Mapping[str, Any] | None
    data_sha256: str | None


def clock_of(run: Settings, loader: Loader, splits: Splits, data_sha256: str, earlier: Earlier | None) -> Clock:
    """The clock to go on with: that of the checkpoint, or a new one from its step on if the pace has changed.

    Args:
        run: the settings now.
        loader: of the training samples now.
        splits: the data now.
        data_sha256: their hash.
        earlier: the checkpoint to go on from; None: a new run.
    """
    new = Clock(loader.samples, loader.pace, in_steps=run.trainer.steps is not None)
    if earlier is None or not earlier.step:
        return new
    places = _places(earlier, run, splits, data_sha256)
    old = _clock_before(earlier, splits, places)
    if earlier.settings.scheduler != run.scheduler:  # its steps are those of now
        old = replace(old, unit=Fraction(1))
    same_samples = places is not None and torch.equal(places, splits.places[0])
    if same_samples and (old.samples, old.pace) == (new.samples, new.pace):
        return replace(old, in_steps=new.in_steps)
    clock = replace(old.then(earlier.step, new), passed=earlier.passed)
    if earlier.settings.scheduler != run.scheduler:
        clock = replace(clock, unit=Fraction(1))
    if clock.epoch.denominator == 1 or run.trainer.overfit_batches is not None:
        return clock
    epoch, rest = _rest(old, earlier)
    if places is None or run.seed != earlier.settings.seed:
        numbers = order(run.seed, epoch, new.samples)
        return replace(clock, unseen=numbers[half_up(clock.epoch % 1 * new.samples) :])
    if not same_samples:
        seen = places[_without(rest, old.samples)]
        numbers = order(run.seed, epoch, new.samples)
        rest = numbers[~torch.isin(splits.places[0][numbers], seen)]
    return replace(clock, unseen=rest)


def overlaps(run: Settings, loader: Loader, splits: Splits, data_sha256: str, earlier: Earlier | None) -> list[str]:
    """Warn of samples that were trained on and no longer are training samples."""
    places = None if earlier is None or not earlier.step else _places(earlier, run, splits, data_sha256)
    if earlier is None or places is None or torch.equal(places, splits.places[0]):
        return []
    trained = places[_trained(_clock_before(earlier, splits, places), earlier)]
    counts = [int(torch.isin(part, trained).sum()) for part in splits.places[1:]]
    parts = [f"{count} now {verb}" for count, verb in zip(counts, ("validate", "test"), strict=False) if count]
    if not parts:
        return []
    return [
        f"of the samples that the run was trained on, {' and '.join(parts)} it: with the new split of dataset, its "
        "metrics look better than they are"
    ]


def _clock_before(earlier: Earlier, splits: Splits, places: Tensor | None) -> Clock:
    """The clock of the checkpoint; one of 0.1.0 has the pace of its config."""
    if earlier.clock is not None:
        return Clock.of(earlier.clock)
    own, samples = earlier.settings.dataset.own, splits.samples
    if places is not None:
        samples = len(places)
    elif own.train_samples is not None:
        samples = samples_of(own, own.train_samples)
    return Clock(samples, pace_of(earlier.settings, samples), in_steps=earlier.settings.trainer.steps is not None)


def _places(earlier: Earlier, run: Settings, splits: Splits, data_sha256: str) -> Tensor | None:
    """Where the training samples of the checkpoint lie in its data; None: these are other data."""
    if earlier.data_sha256 != data_sha256:
        return None
    own = earlier.settings.dataset.own
    now = run.dataset.own
    if _cut(own) == _cut(now):
        return splits.places[0]
    try:
        test = own.test if len(splits.places) == 3 else None
        validation, seed = own.validation, own.split_seed
        return splits.partition.parts(validation=validation, test=test, seed=seed, fold=own.fold, folds=own.folds)[0]
    except ConfigError as error:
        raise error.under("dataset") from error


def _cut(own: DatasetConfig) -> tuple[object, ...]:
    return own.validation, own.test, own.split_seed, own.fold, own.folds


def _rest(old: Clock, earlier: Earlier) -> tuple[int, Tensor]:
    """The epoch under way, and the numbers of the samples that it has not seen, in its order."""
    epoch, number = old.locate(earlier.step + earlier.passed - old.start - old.passed)
    under_way = epoch < old.next_epoch and old.unseen is not None
    numbers = old.unseen if under_way else order(earlier.settings.seed, epoch, old.samples)
    assert numbers is not None
    return epoch, numbers[number * old.pace.samples_per_step :]


def _trained(old: Clock, earlier: Earlier) -> Tensor:
    """The numbers of the samples that this clock has trained on."""
    epoch, rest = _rest(old, earlier)
    seen = torch.zeros(old.samples, dtype=torch.bool)
    seen[_without(rest, old.samples)] = True
    for whole in range(epoch):
        seen[order(earlier.settings.seed, whole, old.samples)[: old.epoch_samples]] = True
    return seen.nonzero().flatten()


def _without(rest: Tensor, samples: int) -> Tensor:
    """All numbers but these."""
    kept = torch.ones(samples, dtype=torch.bool)
    kept[rest] = False
    return kept.nonzero().flatten()
