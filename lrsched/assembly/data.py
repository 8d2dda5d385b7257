"""The data of a run: loaded, compared with what the config says of them, and split."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from lrsched.assembly.memory import enough_for
from lrsched.config import schema
from lrsched.config.component import Component
from lrsched.config.settings import Settings
from lrsched.data.arrays import Arrays
from lrsched.data.augment import Augment
from lrsched.data.digest import sha256
from lrsched.data.split import Splits, split
from lrsched.errors import ConfigError, DataError, UserError

Loaded = tuple[Splits, str]
"""A data set in memory: its parts, and its hash."""


def load_each(runs: Sequence[Settings]) -> dict[str, Loaded]:
    """Load the data set of each run once, for the processes that are forked from here."""
    loaded: dict[str, Loaded] = {}
    for run in runs:
        with suppress(UserError, OSError):  # the run itself will say what is wrong
            loaded[run.dataset.text] = load_data(run, loaded)
    return loaded


def load_data(run: Settings, loaded: Mapping[str, Loaded] = MappingProxyType({})) -> Loaded:
    """The data set of a run, split into training, validation and test part; and its hash.

    Args:
        run: the settings.
        loaded: data sets that lie in memory already.

    Raises:
        DataError: it is missing or damaged.
    """
    node = run.dataset
    if node.text in loaded:
        return loaded[node.text]
    arrays = load_arrays(node)
    check_counts(node.own, arrays)
    try:
        splits = split(arrays, validation=node.own.validation, test=node.own.test, seed=node.own.split_seed)
    except ConfigError as error:
        raise error.under("dataset") from error
    return splits, sha256(arrays)


def load_arrays(node: Component[schema.DatasetConfig]) -> Arrays:
    """What the data set holds; whatever goes wrong in a module that the user trusts is said in one message."""
    target = node.target
    ours = target.startswith("lrsched.")
    try:
        with enough_for(node):
            arrays = node.build().load()
    except DataError as error:
        raise error if ours else DataError(f"dataset={target}: {error}") from error
    except UserError:
        raise
    except Exception as error:
        if ours and not isinstance(error, OSError):
            raise  # a bug of ours
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = " ".join(str(error).split())
        raise DataError(
            f"dataset={target}: its load() raised {type(error).__name__}: {reason} (in {where.filename}, line "
            f"{where.lineno}); is the data set whole, and of the form that load() expects?"
        ) from error
    if not isinstance(arrays, Arrays):
        raise DataError(
            f"dataset={target}: its load() must return lrsched.data.arrays.Arrays, not {type(arrays).__name__}"
        )
    return arrays


def check_counts(reserved: schema.DatasetConfig, arrays: Arrays) -> None:
    """Compare what was loaded with what the config says of it: a preview goes by the config alone."""
    if reserved.train_samples is None:
        return
    found = {"train_samples": len(arrays.train_y), "test_samples": 0 if arrays.test_y is None else len(arrays.test_y)}
    for name, count in found.items():
        said = getattr(reserved, name)
        if said != count:
            raise DataError(
                f"dataset.{name}={said}: the data set that was loaded has {count}; "
                f"is it complete? If so, give dataset.{name}={count}"
            )


def chosen_augment(reserved: schema.DatasetConfig, splits: Splits) -> Augment | None:
    """What changes the training images, if anything does."""
    crop, flip = reserved.augment.crop, reserved.augment.flip
    if not crop and not flip:
        return None
    augment = Augment(crop=crop, flip=flip)
    try:
        augment.check_fits(*splits.input_shape[1:])
    except ConfigError as error:
        raise error.under("dataset.augment") from error
    return augment
