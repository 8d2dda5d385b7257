"""What a config asks of a model: a task of a shelf, or a loss of PyTorch in the form of one."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

from lrsched.config.blame import blamed
from lrsched.config.component import Component
from lrsched.data.batch import Batch, named
from lrsched.data.data import form, is_whole, target
from lrsched.data.stream.labels import Labels
from lrsched.errors import UNSET, ConfigError, DataError
from lrsched.tasks._checks import check_sample_weights
from lrsched.tasks._fitting import advice, fitting
from lrsched.tasks.task import Task
from lrsched.tasks.torch_loss import TorchLoss, loss_task, task_class
from lrsched.units import after, digits

if TYPE_CHECKING:
    from lrsched.data.data import Data
    from lrsched.data.items import Items

LARGE = 100.0
"""Targets of a size between this and its inverse can be learnt at usual rates."""

SOME = 10_000
"""Samples whose targets tell the size."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.@-]*")
"""What a metric may be called: it is written behind ``val/`` in rows, keys and pages."""


def metrics_of(node: Component[None]) -> Mapping[str, str]:
    """Every metric that the task may have, whatever the data are, and which way it is better.

    Raises:
        ConfigError: it is no task, and no loss that takes an output and a target; or a metric has no direction.
    """
    try:
        better: Any = task_class(node.cls).better
    except ConfigError as error:
        raise error.under(node.key) from error
    if not isinstance(better, Mapping) or not better:
        raise ConfigError(
            node.key, node.target, 'its better must name each metric and which way is better: {"loss": "min"}'
        )
    for name, way in better.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            rule = f"its better names a metric {name!r}; a name is made of letters, digits, and _ . @ -"
            raise ConfigError(node.key, node.target, rule)
        if way not in ("min", "max"):
            raise ConfigError(node.key, node.target, f"its better has {way!r} for {name}, and must have min or max")
    return better


def check_task(node: Component[None]) -> None:
    """Refuse a class or arguments that cannot be used; a loss of PyTorch is checked when it is built.

    Raises:
        ConfigError: names the key.
    """
    if issubclass(node.cls, Task):
        node.check()


def check_data(node: Component[None], task: Task, data: Data) -> None:
    """Refuse data that the task cannot be asked of.

    Raises:
        UserError: names the sample and the value, and the task that data of this form are for; or the line of a task
            of one's own that raised an error.
    """
    try:
        with blamed(node, "its check() raised"):
            task.check(data)
        if named(data.train) and "weight" in data.train and data.train["weight"].ndim == 1:
            check_sample_weights(data)  # a task of one's own may not look
    except DataError as error:
        name, _ = fitting(data.train, data.facts)
        if not name or not node.target.startswith("lrsched.tasks.") or _is(node, name):
            raise
        raise DataError(f"{error}; {advice(data.train, data.facts)}") from error


def lint_target(node: Component[None], task: Task, train: Batch, facts: Mapping[str, Any]) -> list[str]:
    """Warn of targets far from 1 in size that a task is given as they are: a model gives numbers near 0 at first.

    Args:
        node: of the task.
        task: of the run.
        train: training samples.
        facts: of the data; ``target_std`` where the data set standardises.
    """
    y, told = target(train), "target_std" in signature(type(task)).parameters
    if y is None or not y.is_floating_point() or (told and "target_std" in facts):
        return []
    some = y[:SOME].double()
    if bool(((some == 0) | (some == 1)).all()):  # yes or no
        return []
    mean, deviation = float(some.mean()), float(some.std(correction=0))
    if 1 / LARGE < math.hypot(mean, deviation) < LARGE or not deviation:
        return []
    unit = facts.get("unit", "")
    if not told and node.target.startswith("torch."):
        remedy = "task=regression standardises it (task.loss=mse, mae or huber)"
    else:
        remedy = "" if told else "give the task the fields target_mean and target_std, and divide by them"
        if "target_std" not in facts:
            where = "have the data set tell them: dataset.standardise=true, or Data(…, standardise=True)"
            remedy = f"{remedy}; {where}" if remedy else where.replace("them", "the target's mean and deviation", 1)
    size = after(unit, " ± ".join(digits("", mean, deviation)))
    return [f"task={node.target}: the target is about {size}, and is not standardised: it may not be learnt; {remedy}"]


@contextmanager
def fitting_model(
    node: Component[None], asked: Component[None], train: Batch, facts: Mapping[str, Any]
) -> Generator[None]:
    """Around the building and the trial of a model of ours: name one for such data where this one is not.

    Args:
        node, asked: of the model and of the task.
        train: training samples.
        facts: of the data.

    Raises:
        ConfigError: the error inside.
    """
    try:
        yield
    except ConfigError as error:
        _, model = fitting(train, facts)
        blamed_on_data = error.key == node.key or error.key.removeprefix(f"{node.key}.") in facts
        model = "unet" if _is(asked, "segmentation") else model
        said = not node.target.startswith("lrsched.models.") or _is(node, model) or "model=" in error.remedy
        if said or not (blamed_on_data or error.value is UNSET) or not error.key.startswith(node.key):
            raise
        remedy = f"for such data and such a task give model={model}"
        raise ConfigError(error.key, error.value, error.rule, remedy) from error


def _is(node: Component[None], name: str) -> bool:
    """Whether a node's class is the one that a choice of our shelf names."""
    return node.target.rpartition(".")[2].lower() == name.replace("_", "")


def check_facts(task: Task, data: Items) -> None:
    """Refuse items with targets of another form than the task's, or whose classes nobody tells: to count them, every
    item would have to be made.

    Raises:
        ConfigError: says where to tell them.
        DataError: names the task for such items.
    """
    from lrsched.tasks.classification import Classification
    from lrsched.tasks.segmentation import Segmentation

    y, image = target(data.look()), data.facts.get("input_shape", ())
    masks = isinstance(task, Segmentation) and y is not None and y.ndim == 3 and len(image) == 3
    if masks and y is not None and tuple(y.shape[1:]) != tuple(image[1:]):
        rule = f"labels are {list(y.shape[1:])} and images {list(image[1:])}, [H, W]"
        raise DataError(f"dataset.train: {rule}; bring both to one size")
    dimensions = {Classification: 1, Segmentation: 3}.get(type(task))
    if dimensions is not None:
        few = data.look()
        y = target(few)
        if y is not None and (not is_whole(y) or y.ndim != dimensions):
            wanted = "whole numbers, one for each " + ("sample" if dimensions == 1 else "pixel")
            rule = f"labels must be {wanted}, and those of two samples are {form(y)}"
            raise DataError(f"dataset.train: {rule}; {advice(few, data.facts)}")
    if isinstance(task, (Classification, Segmentation)) and task.classes is None:
        kind = type(data.train).__name__
        rule = f"do not tell how many classes there are, and {kind} has no attribute classes, num_classes or targets"
        remedy = f"give +dataset.facts.classes=NUMBER, or let {kind} have an attribute classes, a number or a list"
        raise ConfigError("dataset.facts", dict(data.facts), rule, remedy)


def facts_of(node: Component[None], task: Task, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts that the model is told: those of the data, and what the task adds.

    Raises:
        ConfigError: the task tells none.
    """
    with blamed(node, "its facts() raised"):
        told: Any = task.facts(facts)
    if not isinstance(told, Mapping):
        rule = f"its facts() gives a {type(told).__name__}, and a mapping is wanted: those it is given, and others"
        raise ConfigError(node.key, node.target, rule)
    return told


def task_of(node: Component[None], facts: Mapping[str, Any]) -> Task:
    """Build the task, told the facts of the data.

    Raises:
        ConfigError: the class or one of its arguments cannot be used.
    """
    if issubclass(node.cls, Task):
        return node.build_for(facts)
    try:
        return loss_task(node.cls, node.arguments)
    except ConfigError as error:
        raise error.under(node.key) from error


def labels_of(task: Task, facts: Mapping[str, Any]) -> Labels | None:
    """What whole-numbered targets may be, for data that are seen a batch at a time; None: anything."""
    if isinstance(task, TorchLoss):
        return None if task.ignored is None or "classes" not in facts else Labels(facts["classes"], (task.ignored,))
    from lrsched.tasks.binary import Binary

    if isinstance(task, Binary):
        return Labels(2, yes_or_no=True)
    classes, ignored = getattr(task, "classes", None), getattr(task, "ignore", None)
    if type(classes) is not int:
        return None
    return Labels(classes, () if ignored is None else (ignored,))
