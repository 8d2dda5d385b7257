"""The weights that a run starts from: those of a model as it is initialised, or others, which must fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lrsched.assembly.checks import task_for
from lrsched.assembly.memory import check_model_fits, enough_for, few_modules
from lrsched.assembly.speed.layout import in_channels_last
from lrsched.assembly.task import facts_of
from lrsched.assembly.trial import initialise_lazy
from lrsched.config.settings import Settings
from lrsched.data.batch import Batch, each
from lrsched.data.transform import Transform
from lrsched.errors import ConfigError
from lrsched.models.fit import SHOWN, form, misfits
from lrsched.seeds import key
from lrsched.tasks.task import Task

if TYPE_CHECKING:
    from lrsched.assembly.data import AnySplits

PREFIXES = ("module.", "model.", "_orig_mod.", "net.")
"""What wrappers (DistributedDataParallel, Lightning, torch.compile) put before every name."""


def put_into(model: nn.Module, weights: Mapping[str, Any], match: str | None = None) -> None:
    """Put weights that fit into a model; names that ``match`` does not match keep what they are.

    Raises:
        RuntimeError, ValueError, TypeError: the model's own ``load_state_dict`` refuses them.
    """
    taken = {name: item for name, item in weights.items() if match is None or re.fullmatch(match, name)}
    model.load_state_dict({**model.state_dict(), **taken} if match is not None else taken)


@dataclass(frozen=True)
class Initial:
    """Weights that a run starts from.

    Args:
        source: where they lie, as the config says.
        weights: by name, as in a ``state_dict``.
        match: which of them to take: a regular expression of whole names; None: all, and all must fit.
    """

    source: str
    weights: Mapping[str, Any]
    match: str | None = None

    def into(self, model: nn.Module) -> None:
        """Put them into a model that was just built; buffers too. What is not taken stays as it was initialised.

        Raises:
            ConfigError: they do not fit, or the expression matches nothing.
        """
        names = [*model.state_dict(), *self.weights]
        if self.match is not None and not any(re.fullmatch(self.match, name) for name in names):
            rule = f"matches the whole name of no weight; the model has {', '.join(list(model.state_dict())[:SHOWN])}"
            raise ConfigError("init_match", self.match, rule, "as in init_match='body.*'")
        complaint = misfits(self.weights, model, self.match)
        if complaint:
            raise ConfigError("init_from", self.source, f"its weights do not fit: {complaint}", self._remedy(model))
        try:
            put_into(model, self.weights, self.match)
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
            rule = f"its weights do not fit: {' '.join(str(error).split())}"
            raise ConfigError("init_from", self.source, rule) from error
        for name, item in model.named_parameters():  # a buffer may hold infinities, as masks do
            if name in self.weights and not item.isfinite().all():
                rule = f"its {name} {form(item)} holds a number that is not finite"
                raise ConfigError("init_from", self.source, rule, "take the weights of an earlier step")

    def _remedy(self, model: nn.Module) -> str:
        live = set(model.state_dict())
        for prefix in PREFIXES:
            wrapped = all(name.startswith(prefix) for name in self.weights)
            if wrapped and {name.removeprefix(prefix) for name in self.weights} == live:
                return f"a wrapper put {prefix} before every name: save the state_dict of what it wraps"
        both = sorted(live & set(self.weights))
        tops = sorted({name.partition(".")[0] for name in both})
        choices = [*(f"{top}.*" for top in tops), *both]
        fits = next((choice for choice in choices if not misfits(self.weights, model, choice)), None)
        if fits is None:
            return "are they of this model?"
        return f"choose those that fit by init_match, a regular expression of names, as in init_match='{fits}'"


def build_model(run: Settings, facts: Mapping[str, Any], device: torch.device, *, begun: bool = False) -> nn.Module:
    """The model, its weights drawn from the run's seed on the CPU, so that they are the same on every device.

    Args:
        run: the settings.
        facts: of the data.
        device: where it goes.
        begun: the weights of a checkpoint will follow: those that the run began with are not read.
    """
    node = run.model.without(getattr(run.model.cls, "begins", ())) if begun else run.model
    check_model_fits(node, facts)
    torch.manual_seed(key(run.seed, "init"))
    with enough_for(node), few_modules(node):
        return node.build_for(facts).to(device)


def first_model(
    run: Settings, splits: AnySplits, task: Task, transform: Transform, device: torch.device, *, begun: bool = False
) -> tuple[nn.Module, Batch, Task]:
    """The model as it is initialised, two training samples in the form that it is given, and the task for these."""
    model = build_model(run, facts_of(run.task, task, splits.facts), device, begun=begun)
    few = transform(each(splits.like(), lambda column: column[:2].to(device)))
    initialise_lazy(model, few, task, run.model)
    if run.trainer.channels_last:
        model = in_channels_last(model)
    return model, few, task_for(run, task, model, few)
