"""From settings to the parts of a run: data, model, optimizer, scheduler, horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lrsched.assembly.data import Loaded, chosen_augment, load_data
from lrsched.assembly.extend import pasts
from lrsched.assembly.horizon import run_horizon
from lrsched.assembly.lint import lint
from lrsched.assembly.memory import check_model_fits, enough_for
from lrsched.assembly.param_groups import named_groups, parameter_groups
from lrsched.assembly.scheduler import build_scheduler, lengths
from lrsched.config import schema
from lrsched.config.check import base_rate, take
from lrsched.config.targets import DATASET, LOGGER, MODEL, OPTIMIZER, SCHEDULER, build, check_arguments, resolve
from lrsched.data.loader import InOrder, Loader, Standardise
from lrsched.data.split import Splits
from lrsched.errors import ConfigError, nearest
from lrsched.horizon import Horizon
from lrsched.optimizers.lean import without_dynamo
from lrsched.seeds import key
from lrsched.train.evaluate import METRICS
from lrsched.train.loop import Timetable
from lrsched.train.precision import Precision
from lrsched.train.rng import seed_generators
from lrsched.train.state import RunState
from lrsched.train.tracker import Tracker, Window
from lrsched.train.update import Update


@dataclass(frozen=True)
class Parts:
    """Everything that a run is made of, built and at rest at step 0; ``cautions`` are for the user to read."""

    state: RunState
    update: Update
    loader: Loader
    validation: InOrder
    test: InOrder
    precision: Precision
    horizon: Horizon
    timetable: Timetable
    cautions: list[str]
    data_sha256: str


def assemble(run: schema.RunConfig, device: torch.device, loaded: Mapping[str, Loaded] = MappingProxyType({})) -> Parts:
    """Build every part that a config describes.

    Raises:
        ConfigError: a value that cannot be used.
        DataError: the data set is missing or damaged.
    """
    check_choices(run)
    seed_generators(run.seed)
    splits, reserved, data = load_data(run, loaded)
    standardise = Standardise(splits.mean, splits.std, device)
    t = run.trainer
    augment = chosen_augment(reserved, splits)
    loader = Loader(
        splits.train_x,
        splits.train_y,
        standardise,
        batch_size=reserved.batch_size,
        accumulate=t.accumulate,
        seed=run.seed,
        augment=augment,
        device=device,
        limit=t.limit_batches,
        overfit=t.overfit_batches,
    )
    horizon = run_horizon(t, loader.pace)
    timetable = timetable_of(run, horizon)

    model = build_model(run, splits, device)
    check_smallest_batch(model, loader)
    optimizer = build_optimizer(run.optimizer, model)
    evaluations = -(-horizon.steps // timetable.evaluate)
    rates = {float(group["lr"]) for group in optimizer.param_groups}
    scheduler = build_scheduler(run.scheduler, optimizer, horizon, evaluations, pasts(t, loader.pace))
    warned = lint(run.scheduler, horizon, lengths(horizon, evaluations), rates)
    precision = Precision(t.precision, device)
    state = RunState(
        model,
        optimizer,
        scheduler,
        precision.scaler(),
        best=Tracker(run.checkpoint.monitor, run.checkpoint.mode),
        early=Tracker(t.early_stop.monitor, t.early_stop.mode, t.early_stop.threshold),
        window=Window(torch.zeros((), dtype=torch.float64, device=device)),
    )
    update = Update(
        loader,
        precision,
        seed=run.seed,
        device=device,
        clip_norm=t.clip_norm,
        label_smoothing=t.label_smoothing,
        skip=t.on_nonfinite == "skip",
    )

    def in_order(x: torch.Tensor, y: torch.Tensor) -> InOrder:
        size, limit = reserved.eval_batch_size, t.limit_eval_batches
        return InOrder(x, y, standardise, batch_size=size, device=device, limit=limit)

    validation = in_order(splits.validation_x, splits.validation_y)
    test = in_order(splits.test_x, splits.test_y)
    return Parts(state, update, loader, validation, test, precision, horizon, timetable, warned, data)


def timetable_of(run: schema.RunConfig, horizon: Horizon) -> Timetable:
    """When to log, evaluate and save, in whole steps."""
    t, c = run.trainer, run.checkpoint
    return Timetable(
        log=horizon.resolve(t.log_every, "trainer.log_every", least=1),
        evaluate=horizon.resolve(t.evaluate_every, "trainer.evaluate_every", least=1),
        save=None if c.every == "auto" else horizon.resolve(c.every, "checkpoint.every", least=1),
        keep=c.keep,
        patience=t.early_stop.patience,
        pause=run.sweep.until,
    )


def check_choices(run: schema.RunConfig) -> None:
    """Refuse targets and arguments that cannot be used before any data is loaded."""
    reserved, optimizer = take(schema.OptimizerConfig, run.optimizer, "optimizer")
    named_groups(reserved, optimizer.get("lr"))
    _, dataset = take(schema.DatasetConfig, run.dataset, "dataset")
    resolve(SCHEDULER, str(run.scheduler["_target_"]), "scheduler")
    for role, node in ((OPTIMIZER, optimizer), (MODEL, run.model), (DATASET, dataset)):
        check_arguments(resolve(role, str(node["_target_"]), role.group), role, node, role.group)
    for name, node in (run.logger or {}).items():
        key = f"logger.{name}"
        check_arguments(resolve(LOGGER, str(node.get("_target_")), key), LOGGER, node, key)
    if run.trainer.on_nonfinite == "rollback" and run.checkpoint.every == "auto":
        raise ConfigError(
            "trainer.on_nonfinite",
            "rollback",
            "goes back to a checkpoint, and with checkpoint.every=auto a clock says which ones there are",
            "give checkpoint.every=1ep, or another duration",
        )
    monitors = {
        "checkpoint.monitor": run.checkpoint.monitor,
        "trainer.early_stop.monitor": run.trainer.early_stop.monitor,
        "scheduler.monitor": run.scheduler.get("monitor", METRICS[0]),
    }
    for key, monitor in monitors.items():
        if monitor not in METRICS:
            raise ConfigError(key, monitor, "is no metric of an evaluation", nearest(str(monitor), METRICS))
    modes = (run.checkpoint.mode, run.trainer.early_stop.mode, run.scheduler.get("mode"))
    for (key, monitor), mode in zip(monitors.items(), modes, strict=True):
        right = "max" if str(monitor).endswith("accuracy") else "min"
        if mode in ("min", "max") and mode != right:
            better = "the more the better" if right == "max" else "the less the better"
            key = f"{key.removesuffix('monitor')}mode"
            raise ConfigError(key, mode, f"the monitored {monitor} is {better}", f"give {key}={right}")


def build_model(run: schema.RunConfig, splits: Splits, device: torch.device) -> nn.Module:
    """The model, its weights drawn from the run's seed on the CPU, so that they are the same on every device."""
    check_model_fits(run.model, splits.input_shape, splits.classes)
    torch.manual_seed(key(run.seed, "init"))
    with enough_for(run.model, "model"):
        return build(MODEL, run.model, "model", input_shape=splits.input_shape, classes=splits.classes).to(device)


def check_smallest_batch(model: nn.Module, loader: Loader) -> None:
    """Batch norm has no statistics of a single sample; PyTorch would say so in the last update of the first epoch."""
    lonely = loader.batch_size == 1 or loader.samples % loader.batch_size == 1
    if lonely and any(isinstance(layer, _BatchNorm) for layer in model.modules()):
        raise ConfigError(
            "dataset.batch_size",
            loader.batch_size,
            f"leaves a batch of one of {loader.samples} samples, and {type(model).__name__} normalises over the batch",
            f"give another size, as {loader.batch_size + 1}",
        )


def build_optimizer(node: Mapping[str, Any], model: nn.Module) -> Optimizer:
    """The optimizer on the model's parameter groups, by layer, by name and by weight decay as the config says."""
    reserved, own = take(schema.OptimizerConfig, node, "optimizer")
    if "lr" in own:
        own["lr"] = base_rate(own["lr"])
    groups = parameter_groups(
        model,
        spare=reserved.no_decay and bool(own.get("weight_decay")),
        rate=own.get("lr", 0.0),
        layer_decay=reserved.layer_decay,
        named=named_groups(reserved, own.get("lr")),
    )
    with without_dynamo():
        return build(OPTIMIZER, own, "optimizer", params=groups)
