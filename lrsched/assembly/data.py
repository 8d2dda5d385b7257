"""The data of a run: loaded, compared with what the config says of them, and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from lrsched.assembly.memory import enough_for
from lrsched.assembly.speed.layout import ChannelsLast
from lrsched.assembly.task import check_data, check_facts, labels_of, task_of
from lrsched.config import schema
from lrsched.config.blame import raised
from lrsched.config.component import Component
from lrsched.config.settings import Settings
from lrsched.data.batch import samples
from lrsched.data.data import Data
from lrsched.data.digest import sha256
from lrsched.data.split import Splits, split
from lrsched.data.stream.labels import Labels
from lrsched.data.transform import Transform
from lrsched.errors import ConfigError, DataError, NotMeant, UserError
from lrsched.tasks.task import Task, takes_soft_targets
from lrsched.train.environment import with_threads

if TYPE_CHECKING:
    from lrsched.data.augment import Augment
    from lrsched.data.items import Items
    from lrsched.data.stream.splits import ItemSplits

AnySplits: TypeAlias = "Splits | ItemSplits"
"""The parts of a data set, in memory or made item by item."""

Loaded: TypeAlias = "tuple[Splits | ItemSplits, str]"
"""A data set: its parts, and its hash."""


def load_each(runs: Sequence[Settings]) -> dict[str, Loaded]:
    """Load the data set of each run once, for the processes that are forked from here."""
    loaded: dict[str, Loaded] = {}
    for name, run in {asked_of(run): run for run in runs}.items():
        with suppress(UserError, OSError):  # the run itself will say what is wrong
            found = load_data(run)
            splits = found[0]
            if isinstance(splits, Splits) or splits.data.decoded:  # others may hold open files, which forks would share
                loaded[name] = found
    return loaded


def hash_each(runs: Sequence[Settings]) -> dict[str, str]:
    """The hash of each run's data, by what is asked of them; without those that cannot be loaded.

    Processes may be forked afterwards: one thread of torch loads them, and nothing is kept.
    """
    found: dict[str, str] = {}
    with with_threads(1):
        for name, run in {asked_of(run): run for run in runs}.items():
            with suppress(UserError, OSError):
                found[name] = load_data(run)[1]
    return found


def load_data(run: Settings, loaded: Mapping[str, Loaded] = MappingProxyType({})) -> Loaded:
    """The data set of a run, split into training, validation and test part; and its hash.

    Args:
        run: the settings.
        loaded: data sets that lie in memory already.

    Raises:
        DataError: it is missing or damaged, or this task cannot be asked of it.
    """
    node = run.dataset
    if asked_of(run) in loaded:
        return loaded[asked_of(run)]
    data, own = load_samples(node), node.own
    check_counts(own, data)
    cut: dict[str, Any] = {
        "validation": own.validation,
        "test": own.test,
        "seed": own.split_seed,
        "fold": own.fold,
        "folds": own.folds,
    }
    if not isinstance(data, Data):
        return _items(run, data, cut)
    try:
        splits = split(data, **cut)
    except ConfigError as error:
        raise error.under("dataset") from error
    check_data(run.task, task_of(run.task, splits.facts), data)
    return splits, sha256(data)


def _items(run: Settings, data: Items, cut: Mapping[str, Any]) -> Loaded:
    """The parts of items. The task cannot see them all: each batch is looked at, or each item when it is decoded."""
    from lrsched.data.stream.splits import split_items  # data in memory start without it

    arguments = {name: run.dataset.arguments[name] for name in WHAT if name in run.dataset.arguments}
    task = task_of(run.task, data.facts)
    check_facts(task, data)
    digest = data.sha256(arguments)
    data.look(labels=labels_of(task, data.facts))  # before a model is tried on them
    if data.cache:
        from lrsched.data.cache.items import decoded

        data = decoded(data, arguments, labels_of(task, data.facts), quiet=not run.trainer.progress)
    try:
        splits = split_items(data, **cut)
    except ConfigError as error:
        raise error.under("dataset") from error
    return splits, digest


WHAT = ("train", "validation", "test")
"""Arguments of a data set of items that say what it is, not how it is read."""


def asked_of(run: Settings) -> str:
    """A data set and what is asked of it: the task has checked it."""
    return run.dataset.text + run.task.text


def load_samples(node: Component[schema.DatasetConfig]) -> Data | Items:
    """What the data set holds; whatever goes wrong in a module that the user trusts is said in one message."""
    target = node.target
    ours = target.startswith("lrsched.")
    try:
        with enough_for(node):
            source = node.build()
            try:
                data = source.load()
            except ConfigError as error:
                raise error.under(node.key) from error
    except DataError as error:
        raise error if ours else DataError(f"dataset={target}: {error}") from error
    except UserError:
        raise
    except Exception as error:
        if ours and not isinstance(error, OSError):
            raise  # a bug of ours
        raise DataError(
            f"dataset={target}: its load() raised {raised(error)}; is the data set whole, and of the form that load() "
            "expects?"
        ) from error
    if isinstance(data, Data):
        return data
    from lrsched.data.items import Items  # data in memory start without it

    if not isinstance(data, Items):
        raise DataError(f"dataset={target}: its load() must return lrsched.data.Data, not {type(data).__name__}")
    return data


def check_counts(reserved: schema.DatasetConfig, data: Data | Items) -> None:
    """Compare what was loaded with what the config says of it: a preview goes by the config alone."""
    if reserved.train_samples is None:
        return
    count = samples if isinstance(data, Data) else len
    found = {"train_samples": data.samples, "test_samples": 0 if data.test is None else count(data.test)}
    for name, count in found.items():
        said = getattr(reserved, name)
        if said != count:
            rule = f"the data set that was loaded has {count}"
            raise NotMeant(f"dataset.{name}", said, rule, f"is it complete? If so, give dataset.{name}={count}")


def chosen_transform(run: Settings, splits: AnySplits, task: Task, device: torch.device) -> Transform:
    """What brings raw samples into the form that the model is given, with the random changes that are asked for.

    Raises:
        ConfigError: a change that cannot be made of these data, for this task.
    """
    asked = vars(run.dataset.own.augment)
    try:
        found = splits.transform(device, _augment(asked, task, labels_of(task, splits.facts)))
    except ConfigError as error:
        raise error.under("dataset.augment") from error
    return ChannelsLast(found) if run.trainer.channels_last else found


def _augment(asked: Mapping[str, Any], task: Task, labels: Labels | None) -> Augment | None:
    """The random changes of training images; None: none is asked for."""
    if not any(asked[name] for name in asked if name != "mask_fill"):
        return None
    from lrsched.data.augment import Augment  # few runs need it

    for name in ("mixup", "cutmix"):
        if asked[name] and not takes_soft_targets(task):
            kind = type(task).__name__
            rule = f"makes soft targets, float [samples, classes], and {kind} does not say that its loss takes them"
            remedy = "leave it out, or take task=classification"
            if not type(task).__module__.startswith("lrsched."):
                remedy += f", or give {kind} the class variable soft_targets = True"
            raise ConfigError(name, asked[name], rule, remedy)
    fill, ignore = asked["mask_fill"], getattr(task, "ignore", None)
    if fill is not None and labels is not None and bool(labels.wrong(torch.tensor(fill))):
        remedy = "" if ignore is not None else "; task.ignore=255 lets it be 255"
        raise ConfigError(
            "mask_fill", fill, f"must be a class, from 0 to {labels.classes - 1}, or task.ignore" + remedy
        )
    return Augment(**{**asked, "mask_fill": ignore if fill is None else fill})
