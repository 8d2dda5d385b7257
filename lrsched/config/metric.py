"""A metric of torchmetrics by name: which class a node of ``trainer.metrics`` means, and which way it is better."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, Optional

from lrsched.config.check import take
from lrsched.config.component import Component
from lrsched.config.rules import one_of, ruled
from lrsched.config.targets import Role, arguments_in, resolve, trusted, within
from lrsched.config.walk import is_mapping
from lrsched.errors import UNSET, ConfigError, NotMeant, nearest

METRIC = Role("metric", ("torchmetrics",), ("torchmetrics.Metric",), facts=True)

HOMES = tuple(
    f"torchmetrics.{room}"
    for room in ("classification", "regression", "segmentation", "image", "audio", "clustering", "nominal")
)
"""Where the metrics of predictions and targets are; the others are of texts, boxes, or need a network of their own."""

DOWNLOADS = ("DeepImageStructureAndTextureSimilarity",)
"""Metrics that fetch a network when they are made."""

KINDS = ("Multiclass", "Binary", "Multilabel")
"""Beginnings of the classes that a name for all tasks, such as F1Score, chooses among."""

EVERYWHERE = ("compute_on_cpu",)
"""What any metric takes beside its own arguments."""


@dataclass
class MetricConfig:
    """The reserved key of a metric, which its class never sees."""

    better: Optional[str] = ruled(None, one_of("min", "max"))  # noqa: UP045  (as in the schema)


class MetricNode(Component[MetricConfig]):
    """A node of ``trainer.metrics``; its target may be a name without a module."""

    @cached_property
    def cls(self) -> type:
        """The class: a metric that is updated with predictions and targets, and needs nothing else.

        Raises:
            ConfigError: torchmetrics is not installed, or the name is no such class.
        """
        if find_spec("torchmetrics") is None:
            rule = "needs torchmetrics, which is not installed"
            raise ConfigError(self.key, self.target, rule, "pip install 'hydra-lrsched[metrics]'")
        found = resolve(METRIC, self.target, self.key) if "." in self.target else _by_name(self.target, self.key)
        self.require_home(found)
        if not for_all_tasks(found):
            _require_two_tensors(found, self.key, self.target)
        return found

    @property
    def way(self) -> Literal["min", "max"]:
        """Which way the metric is better: as its class says, or else the node.

        Raises:
            ConfigError: neither does, or they differ.
        """
        own, given = _way(self.cls), self.own.better
        if own is None and given is None:
            rule = f"torchmetrics does not say which way {self.cls.__name__} is better"
            remedy = f"add better: max to the node, the more the better, or min: {{_target_: {self.target}, better: …}}"
            raise ConfigError(f"{self.key}.better", UNSET, rule, remedy)
        if own is not None and given not in (None, own):
            more = "the more the better" if own == "max" else "the less the better"
            raise ConfigError(f"{self.key}.better", given, f"{self.cls.__name__} is {more}", "leave it out")
        return "max" if (own or given) == "max" else "min"

    def check(self) -> None:
        """Refuse a class or arguments that cannot be used; build nothing."""
        own = list(inspect.signature(self.cls).parameters)
        offered = [*(name for name in own if name not in ("args", "kwargs")), *EVERYWHERE]
        for name, value in self.arguments.items():
            if name not in offered:
                rule = f"{self.cls.__name__} takes no such argument"
                raise NotMeant(f"{self.key}.{name}", value, rule, nearest(name, [*offered, "better"]))
        super().check()

    def require_home(self, found: type) -> None:
        """Refuse a class that is defined elsewhere than the metrics of predictions and targets."""
        homes = (*HOMES, *trusted())
        if not within(f"{found.__module__}.", homes) or found.__name__ in DOWNLOADS:
            rule = "is no metric of predictions and targets alone"
            raise ConfigError(self.key, self.target, rule, f"give one of {', '.join(HOMES[:4])}")


def metric_nodes(asked: Mapping[str, Any]) -> dict[str, MetricNode]:
    """Parse ``trainer.metrics``: each a name of a class, or a node with a ``_target_``; null is none.

    Raises:
        ConfigError: something else, or a reserved key out of its range.
    """
    found: dict[str, MetricNode] = {}
    for name, node in asked.items():
        key = f"trainer.metrics.{name}"
        if node is None:  # one that a config names, and this run leaves out
            continue
        if isinstance(node, str) and node:
            node = {"_target_": node}
        if not is_mapping(node) or not isinstance(node.get("_target_"), str):
            rule = "must be the name of a class of torchmetrics, or a mapping with a _target_"
            raise ConfigError(key, node, rule, f"as in '+{key}=MulticlassF1Score'")
        own, rest = take(MetricConfig, node, key)
        found[str(name)] = MetricNode(METRIC, key, node["_target_"], arguments_in(rest), own)
    return found


def for_all_tasks(cls: type) -> bool:
    """Whether a class stands for several, of which its argument ``task`` chooses one."""
    return any(_of_kind(cls, kind) is not None for kind in KINDS)


def _of_kind(cls: type, kind: str) -> Any:
    home = import_module("torchmetrics.classification")
    return getattr(home, f"{kind}{cls.__name__}", None) if within(f"{cls.__module__}.", HOMES[:1]) else None


def _way(cls: type) -> str | None:
    """Which way a class says that it is better; None: it does not."""
    classes = [cls, *(_of_kind(cls, kind) for kind in KINDS)]
    higher = next((way for each in classes if isinstance(way := getattr(each, "higher_is_better", None), bool)), None)
    return None if higher is None else "max" if higher else "min"


def _by_name(name: str, key: str) -> type:
    """Find a class by its name alone."""
    for home in HOMES:
        found = getattr(import_module(home), name, None)
        if isinstance(found, type) and not name.startswith("_"):
            return resolve(METRIC, f"{home}.{name}", key)
    known = {word for home in HOMES for word in dir(import_module(home)) if word[0].isupper()}
    raise ConfigError(
        key, name, "is no metric of torchmetrics that predictions and targets suffice for", _near(name, known)
    )


def _near(name: str, known: set[str]) -> str:
    """The nearest name, in whatever letters it was written."""
    plain = {word.lower(): word for word in known}
    if name.lower() in plain:
        return f"did you mean {plain[name.lower()]!r}?"
    return nearest(name, sorted(known))


def _require_two_tensors(cls: Any, key: str, target: str) -> None:
    """Refuse a metric that is updated with anything else than predictions and targets."""
    taken = list(inspect.signature(cls.update).parameters.values())[1:]
    needed = [parameter for parameter in taken if parameter.default is inspect.Parameter.empty]
    named = [parameter.name for parameter in needed] in (["preds", "target"], ["preds", "targets"])
    right = named and all(_is_tensor(parameter.annotation) for parameter in needed)
    if not right:
        words = ", ".join(str(parameter) for parameter in taken)
        rule = f"its update takes ({words}), and a metric here is given (preds, target), two tensors"
        raise ConfigError(key, target, rule, "give another metric")


def _is_tensor(annotation: Any) -> bool:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return annotation is inspect.Parameter.empty or name.rpartition(".")[2] == "Tensor"
