"""What a config asks of a model: a task of a shelf, or a loss of PyTorch in the form of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrsched.config.component import Component
from lrsched.errors import ConfigError
from lrsched.tasks.task import Task
from lrsched.tasks.torch_loss import loss_task, task_class


def metrics_of(node: Component[None]) -> Mapping[str, str]:
    """Every metric that the task may have, whatever the data are, and which way it is better.

    Raises:
        ConfigError: it is no task, and no loss that takes an output and a target.
    """
    try:
        return task_class(node.cls).better
    except ConfigError as error:
        raise error.under(node.key) from error


def check_task(node: Component[None]) -> None:
    """Refuse a class or arguments that cannot be used; a loss of PyTorch is checked when it is built.

    Raises:
        ConfigError: names the key.
    """
    if issubclass(node.cls, Task):
        node.check()


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
