"""The clock of a run that goes on: from that of its checkpoint, and from what its data and settings are now."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrsched.assembly.horizon import foreseen_samples, pace_of, samples_of
from lrsched.config.schema import DatasetConfig
from lrsched.config.settings import Settings
from lrsched.data.clock import Clock
from lrsched.data.loader import Loader
from lrsched.errors import ConfigError
from lrsched.horizon import half_up

if TYPE_CHECKING:
    from lrsched.assembly.data import AnySplits
    from lrsched.data.stream.batches import ItemLoader


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


def clock_of(
    run: Settings, loader: Loader | ItemLoader, splits: AnySplits, data_sha256: str, earlier: Earlier | None
) -> Clock:
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
    cut = _cut(earlier.settings.dataset.own) == _cut(run.dataset.own)
    if earlier.clock is not None and earlier.data_sha256 == data_sha256 and cut:  # the same samples: nothing is listed
        clock, is_new = _next(Clock.of(earlier.clock), new, run, earlier, same_samples=True)
        if not is_new:
            return clock
    places = _places(earlier, run, splits, data_sha256)
    old = _clock_before(earlier, splits, places)
    same_samples = places is not None and torch.equal(places, splits.places[0])
    clock, is_new = _next(old, new, run, earlier, same_samples)
    if not is_new:
        return clock
    if places is not None:
        clock = replace(clock, trained=_trained(old, earlier, places, splits))
    if clock.drawn.denominator == 1:
        return clock
    unseen = _unseen(clock, old, earlier, run, places, splits)[: new.rest_of(clock.drawn)]
    return replace(clock, unseen=unseen, left=len(unseen) if clock.drawn == clock.epoch else clock.left)


def foreseen_clock(run: Settings, earlier: Earlier) -> tuple[Clock, bool] | None:
    """The same clock without the data; None where the data alone say how many samples they are.

    Returns:
        The clock, and whether it is exact: where other samples are trained on from the middle of an epoch on, the data
        alone say how many of them this epoch has not seen.
    """
    before = earlier.settings
    same_samples = _data(before) == _data(run)
    if earlier.clock is not None:
        old = Clock.of(earlier.clock)
    elif before.dataset.own.train_samples is None:
        return None
    else:
        old = _of_config(before, samples_of(before.dataset.own, before.dataset.own.train_samples))
    if same_samples:
        samples = old.samples
    elif (counted := foreseen_samples(run)) is None:
        return None
    else:
        samples = counted
    new = _of_config(run, samples)
    if not earlier.step:
        return new, True
    clock = _next(old, new, run, earlier, same_samples)[0]
    return clock, same_samples or clock.drawn.denominator == 1


def _next(old: Clock, new: Clock, run: Settings, earlier: Earlier, same_samples: bool) -> tuple[Clock, bool]:
    """The clock to go on with, and whether one begins; what a new one does not draw is not known yet."""
    if earlier.settings.scheduler != run.scheduler:  # its steps are those of now
        old = replace(old, unit=Fraction(1))
    same_plan = not old.start or old.in_steps == new.in_steps
    if same_samples and same_plan and (old.samples, old.pace) == (new.samples, new.pace):
        return replace(old, in_steps=new.in_steps), False
    clock = old.then(earlier.step, new, earlier.passed)
    return replace(clock, unit=Fraction(1)) if earlier.settings.scheduler != run.scheduler else clock, True


def overlaps(clock: Clock, splits: AnySplits, earlier: Earlier | None) -> list[str]:
    """Warn of samples that were trained on and no longer are training samples, where a clock begins."""
    if earlier is None or clock.trained is None or clock.start != earlier.step:
        return []
    counts = [int(clock.trained[part].sum()) for part in splits.places[1:]]
    parts = [f"{count} now {verb}" for count, verb in zip(counts, ("validate", "test"), strict=False) if count]
    if not parts:
        return []
    return [
        f"of the samples that the run was trained on, {' and '.join(parts)} it: with the new split of dataset, its "
        "metrics look better than they are"
    ]


def _clock_before(earlier: Earlier, splits: AnySplits, places: Tensor | None) -> Clock:
    """The clock of the checkpoint; one of 0.1.0 has the pace of its config."""
    if earlier.clock is not None:
        return Clock.of(earlier.clock)
    own, samples = earlier.settings.dataset.own, splits.samples
    if places is not None:
        samples = len(places)
    elif own.train_samples is not None:
        samples = samples_of(own, own.train_samples)
    return _of_config(earlier.settings, samples)


def _of_config(run: Settings, samples: int) -> Clock:
    """The clock of a run of one pace."""
    return Clock(samples, pace_of(run, samples), in_steps=run.trainer.steps is not None)


def _places(earlier: Earlier, run: Settings, splits: AnySplits, data_sha256: str) -> Tensor | None:
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


def _data(run: Settings) -> tuple[object, ...]:
    """All of a config that says which samples are trained on."""
    dataset, own = run.dataset, run.dataset.own
    return dataset.target, dataset.arguments, own.train_samples, own.test_samples, _cut(own)


def _cut(own: DatasetConfig) -> tuple[object, ...]:
    return own.validation, own.test, own.split_seed, own.fold, own.folds


def _unseen(
    clock: Clock, old: Clock, earlier: Earlier, run: Settings, places: Tensor | None, splits: AnySplits
) -> Tensor:
    """The numbers, now, of the samples that the epoch under way has not drawn, in its order."""
    epoch = math.floor(clock.drawn)
    numbers = splits.order(run.seed, 0 if run.trainer.overfit_batches is not None else epoch, clock.samples)
    if places is None or run.seed != earlier.settings.seed:
        return numbers[half_up(clock.drawn % 1 * clock.epoch_samples) :]
    if run.trainer.overfit_batches is not None:  # always the same ones: the last of them
        return numbers[clock.epoch_samples - clock.rest_of(clock.drawn) :]
    drawn, rest = _under_way(old, earlier, splits)
    if torch.equal(places, splits.places[0]):
        return rest
    seen = torch.isin(splits.places[0], places[drawn])
    return numbers[~seen[numbers]]


def _under_way(old: Clock, earlier: Earlier, splits: AnySplits) -> tuple[Tensor, Tensor]:
    """The numbers of the samples that the epoch under way has drawn, and of those that it has not, in its order."""
    data = old.data
    epoch, number = data.locate(_batches(old, earlier))
    if epoch < data.next_epoch and data.unseen is not None:
        rest = data.unseen[number * data.pace.samples_per_step :]
        return _without(rest, old.samples), rest
    numbers = _order(earlier, epoch, old, splits)
    return numbers.tensor_split([number * old.pace.samples_per_step])  # type: ignore[return-value]


def _trained(old: Clock, earlier: Earlier, places: Tensor, splits: AnySplits) -> Tensor:
    """Of all samples, those that the run has been trained on, by this clock and those before."""
    data, batches, samples = old.data, _batches(old, earlier), sum(map(len, splits.places))
    trained = torch.zeros(samples, dtype=torch.bool) if old.trained is None else old.trained.clone()
    epoch, number = data.locate(batches)
    drawn = number * data.pace.samples_per_step
    if data.unseen is not None:
        trained[places[data.unseen[: drawn if epoch < data.next_epoch else None]]] = True
    if epoch >= data.next_epoch:
        for whole in range(data.next_epoch, epoch):
            trained[places[_order(earlier, whole, old, splits)[: old.epoch_samples]]] = True
        trained[places[_order(earlier, epoch, old, splits)[:drawn]]] = True
    return trained


def _batches(old: Clock, earlier: Earlier) -> int:
    """The batches drawn since this clock began."""
    return earlier.step + earlier.passed - old.start - old.passed


def _order(earlier: Earlier, epoch: int, old: Clock, splits: AnySplits) -> Tensor:
    trainer = earlier.settings.trainer
    return splits.order(earlier.settings.seed, 0 if trainer.overfit_batches is not None else epoch, old.samples)


def _without(rest: Tensor, samples: int) -> Tensor:
    """All numbers but these."""
    kept = torch.ones(samples, dtype=torch.bool)
    kept[rest] = False
    return kept.nonzero().flatten()
