"""Build the parts of a run anew that its model needs: from the stored config and its data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lrsched.assembly.checks import task_for
from lrsched.assembly.data import chosen_transform, load_data
from lrsched.assembly.parts import build_task, named_metrics
from lrsched.assembly.weights import first_model
from lrsched.compose.nodes import plain, put
from lrsched.compose.stored import reaching_out, read_config
from lrsched.config.digest import config_sha256
from lrsched.config.given import NOTHING, Given, require_same
from lrsched.config.settings import Settings, settings
from lrsched.data.batch import each
from lrsched.data.loader import InOrder
from lrsched.data.transform import Transform
from lrsched.errors import CheckpointError, ConfigError, UserError
from lrsched.machine.threads import AUTO
from lrsched.records import DATA, RunFolder
from lrsched.runs.newest import records
from lrsched.tasks.task import Task, units_of
from lrsched.train.averaging import batches_to_renew, renew
from lrsched.train.environment import device_of, with_threads
from lrsched.train.evaluate import batches_at_rest
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision
from lrsched.train.rng import generators_state, set_generators
from lrsched.units import exactly

if TYPE_CHECKING:
    from lrsched.assembly.data import AnySplits
    from lrsched.data.stream.batches import ItemsInOrder

PARTS = {"val": "validation", "test": "test"}
"""The parts of the data that a model is evaluated on: as in a metric's name, and as they are called here."""


@dataclass(frozen=True)
class Rebuilt:
    """What a model is asked and given, as in training.

    Args:
        run: the settings.
        digest: the hash of the config.
        splits: the data.
        data_sha256: their hash.
        task, transform, precision, device: of the run.
    """

    run: Settings
    digest: str
    splits: AnySplits
    data_sha256: str
    task: Task
    transform: Transform
    precision: Precision
    device: torch.device

    @classmethod
    def of(cls, folder: RunFolder, objects: Mapping[str, Given] = NOTHING) -> Rebuilt:
        """Read the config of a run and load its data set.

        Raises:
            ConfigError: the config asks for the environment, or names what this process does not allow.
            CheckpointError: the config cannot be read.
            DataError: the data set is missing or damaged.
        """
        run, digest = stored_settings(folder, objects)
        require_same(run.model, run.task, begun=True)
        device = device_of(run.device)
        with with_threads(1 if run.threads == AUTO else None):  # as the run was assembled
            splits, data = load_data(run)
            task = build_task(run, splits)
            transform = chosen_transform(run, splits, task, device)
        return cls(run, digest, splits, data, task, transform, Precision(run.trainer.precision, device), device)

    @cached_property
    def named(self) -> NamedMetrics | None:
        """The metrics of torchmetrics that the run names."""
        return named_metrics(self.run, self.task, self.splits.facts, self.device)

    def model(self) -> nn.Module:
        """The model as it was initialised; no random generator of this process notices."""
        generators = generators_state(self.device)
        try:
            return first_model(self.run, self.splits, self.task, self.transform, self.device, begun=True)[0]
        finally:
            set_generators(generators, self.device)

    def asked_of(self, model: nn.Module) -> Task:
        """The task, once it has seen the model and two training samples."""
        few = self.transform(each(self.splits.like(), lambda column: column[:2].to(self.device)))
        return task_for(self.run, self.task, model, few)

    def batches(self, samples: Any) -> InOrder:
        """Samples in the batches and the form that an evaluation gives them."""
        size = self.run.dataset.own.eval_batch_size
        return InOrder(samples, self.transform, batch_size=size, device=self.device)

    def part(self, name: str) -> InOrder | ItemsInOrder:
        """The batches of a part of the data: ``val`` or ``test``."""
        size, limit = self.run.dataset.own.eval_batch_size, self.run.trainer.limit_eval_batches
        return self.splits.in_order(PARTS[name], self.transform, batch_size=size, device=self.device, limit=limit)

    def renew(self, model: nn.Module, weights: str) -> None:
        """Give batch norm its statistics as an evaluation does: a checkpoint may be of a step between two of them.

        Args:
            model: with these weights.
            weights: ``average``, or ``last`` of an optimizer that makes its updates at others; the best have theirs.
        """
        size, node, batches = self.run.dataset.own.eval_batch_size, self.run.average, 0
        if weights == "average" and node is not None:
            batches = batches_to_renew(node.build(), model, size)
        elif weights == "last":
            with suppress(UserError):  # its package need not be installed here
                batches = batches_at_rest(self.run.optimizer.cls, model, size)
        if batches:
            how: dict[str, Any] = {"batch_size": size, "device": self.device, "limit": batches}
            renew(model, self.splits.in_order("train", self.transform, **how), self.task, self.precision)

    def in_words(self, name: str, value: float) -> str:
        """A metric with its unit, as the task says it.

        Args:
            name: without its part, as ``loss``.
            value: of the metric.
        """
        return exactly(units_of(self.task, self.splits.facts).get(name, ""), value)

    def check_made(self, manifest: Mapping[str, Any], path: object) -> None:
        """Refuse a checkpoint of another config or other data.

        Raises:
            CheckpointError: it names which.
        """
        unchanged = len(records(manifest, "changes")) == len(self.run.checkpoint.changes)
        if unchanged and manifest.get("config_sha256") != self.digest:
            raise CheckpointError(f"{path} was made with another config than config.yaml: it was changed by hand")
        if manifest.get(DATA) != self.data_sha256:
            raise CheckpointError(
                f"{path} was trained on data with SHA-256 {manifest.get(DATA)}, and dataset {self.run.dataset.target} "
                f"has {self.data_sha256} now; bring the data back"
            )


def stored_settings(folder: RunFolder, objects: Mapping[str, Given] = NOTHING) -> tuple[Settings, str]:
    """The settings that a run is stored with, loggers aside, and the hash of its config.

    Raises:
        ConfigError: a value asks for the environment, or cannot be used.
        CheckpointError: the config cannot be read.
    """
    config = read_config(folder)
    put(config, "logger", {})  # may name a service, with its key
    for key, text in reaching_out(config).items():
        rule = "a config that is read back may refer to its own keys, and not to the environment or anything else"
        raise ConfigError(key, text, rule, f"if you trust it, write the value into {folder.config}")
    values = plain(config)
    return settings(values, objects), config_sha256(values)
