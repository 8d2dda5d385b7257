"""Count training samples and updates of an epoch, without the data and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lrsched.errors import ConfigError
from lrsched.horizon import half_up


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
) -> int:
    """Count the training samples that remain without the test and the validation part.

    Args:
        train: samples in the source's training part.
        test: samples in its own test part; 0: hold one out.
        validation_fraction: of the training part, without the test part; None: none is held out.
        test_fraction: of the whole; unused if the source has a test part.
        fold: number of the fold that validates instead of a fraction, or None.
        folds: how many there are.

    Raises:
        ConfigError: a fraction outside (0, 1), or one that leaves a part without samples.

    >>> training_samples(1797, 0, validation_fraction=0.1, test_fraction=0.2)  # 1797 − 359 − 144
    1294
    """
    parts = [] if test else [("test", test_fraction)]
    if fold is None and validation_fraction is not None:
        parts.append(("validation", validation_fraction))
    for name, fraction in parts:
        check_fraction(name, fraction)
        held = held_out(train, fraction)
        if not 0 < held < train:
            raise ConfigError(name, fraction, f"holds out {held} of {train} samples", "give a fraction nearer to 0.5")
        train -= held
    return train if fold is None else train - len(range(fold, train, folds))


def check_fraction(name: str, fraction: float) -> None:
    """Refuse a fraction outside (0, 1).

    Raises:
        ConfigError: names the fraction.
    """
    if not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise ConfigError(name, fraction, "must be a fraction above 0 and below 1")


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
