"""Count training samples and updates of an epoch, without the data and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lrsched.errors import ConfigError
from lrsched.horizon import half_up

MOST_WORKERS = 1024
"""Processes that can read the data of a run, and one more."""


def held_out(samples: int, fraction: float) -> int:
    """Count the samples of a held-out part: round(fraction·N), half up, in exact decimal arithmetic.

    >>> held_out(9, 0.5), held_out(1797, 0.2)
    (5, 359)
    """
    return half_up(Fraction(repr(float(fraction))) * samples)


def training_samples(
    train: int,
    test: int,
    *,
    validation_fraction: float | None,
    test_fraction: float,
    fold: int | None = None,
    folds: int = 5,
    gap: int | None = None,
) -> int:
    """Count the training samples that remain without the test and the validation part.

    Args:
        train: samples in the source's training part.
        test: samples in its own test part; 0: hold one out.
        validation_fraction: of the training part, without the test part; None: none is held out.
        test_fraction: of the whole; unused if the source has a test part.
        fold: number of the fold that validates instead of a fraction, or None.
        folds: how many there are.
        gap: samples stay in order, and so many are left out before each held-out part; None: they are shuffled.

    Raises:
        ConfigError: a fraction outside (0, 1), or one that leaves a part without samples; no such fold.

    >>> training_samples(1797, 0, validation_fraction=0.1, test_fraction=0.2)  # 1797 − 359 − 144
    1294
    """
    parts = [] if test else [("test", test_fraction)]
    if fold is None and validation_fraction is not None:
        parts.append(("validation", validation_fraction))
    for name, fraction in parts:
        check_fraction(name, fraction)
        held = held_out(train, fraction)
        train = left_of(train, held, name, fraction, gap or 0)
    if fold is None:
        return train
    check_fold(fold, folds, samples=train, ordered=gap is not None, validates=validation_fraction is None)
    return train - len(range(fold, train, folds))


def left_of(samples: int, held: int, name: str, fraction: float, gap: int = 0) -> int:
    """Count what is left of samples without a held-out part and the gap before it.

    Raises:
        ConfigError: one of the two has no sample; names the key and the fraction.
    """
    left = samples - held - gap
    if not held or left < 1:
        rule = f"holds out {held} of {samples} samples" + (f", after a gap of {gap}" if gap else "")
        raise ConfigError(name, fraction, rule, "give a fraction nearer to 0.5, or more data")
    return left


def check_fraction(name: str, fraction: float) -> None:
    """Refuse a fraction outside (0, 1).

    Raises:
        ConfigError: names the fraction.
    """
    if not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise ConfigError(name, fraction, "must be a fraction above 0 and below 1")


def check_fold(fold: int, folds: int, *, samples: int, ordered: bool = False, validates: bool = False) -> None:
    """Refuse a fold that cannot be held out.

    Args:
        fold, folds: as for :func:`training_samples`.
        samples: without the test part.
        ordered: they stay in order.
        validates: there is a validation part of its own.

    Raises:
        ConfigError: says why.
    """
    if validates:
        rule = "validates with a part of the training samples, and there is a validation part of its own"
        raise ConfigError("fold", fold, rule, "give one of the two")
    if ordered:
        rule = "these samples stay in order, so that the last ones validate: there are no folds of them"
        raise ConfigError("fold", fold, rule, "leave it out, or take dataset.validation")
    if folds < 2:
        raise ConfigError("folds", folds, "must be at least 2: one validates, the others train")
    if not 0 <= fold < folds:
        raise ConfigError("fold", fold, f"must lie in 0 … {folds - 1}", "dataset.folds says how many there are")
    if samples < folds:
        raise ConfigError("folds", folds, f"there are {samples} samples", "give fewer folds")


@dataclass(frozen=True)
class Counted:
    """What a data set holds, counted without loading it.

    Args:
        train: samples of its training part.
        test: it has a test part of its own.
        validation: it has a validation part of its own.
        gap: samples stay in order, and so many are left out before each held-out part; None: they are shuffled.
    """

    train: int
    test: bool = False
    validation: bool = False
    gap: int | None = None


@dataclass(frozen=True)
class Pace:
    """The cut of an epoch into updates.

    Args:
        samples_per_step: samples of a full update.
        steps_per_epoch: updates in an epoch; the last one is smaller when the samples do not divide.
    """

    samples_per_step: int
    steps_per_epoch: int


def pace(
    samples: int, *, batch_size: int, accumulate: int = 1, limit: int | None = None, overfit: int | None = None
) -> Pace:
    """Cut the epoch of a run into updates.

    Args:
        samples: training samples, at least 1.
        batch_size: samples in a micro-batch.
        accumulate: micro-batches in an update.
        limit: updates after which an epoch ends early, or None.
        overfit: updates to repeat for ever, or None.

    >>> pace(86, batch_size=16), pace(86, batch_size=16, accumulate=2, limit=2)
    (Pace(samples_per_step=16, steps_per_epoch=6), Pace(samples_per_step=32, steps_per_epoch=2))
    """
    whole_step = min(batch_size * accumulate, samples)
    whole_epoch = -(-samples // whole_step)
    return Pace(whole_step, min(steps for steps in (whole_epoch, limit, overfit) if steps is not None))
