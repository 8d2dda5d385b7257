"""Refuse settings that do not go together, before any data is loaded or as soon as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from lrsched.assembly.kinds import spec_of
from lrsched.assembly.task import NAME, check_task, metrics_of
from lrsched.config.blame import blamed
from lrsched.config.settings import Settings
from lrsched.data.batch import Batch
from lrsched.data.cut import Cut
from lrsched.data.loader import Loader
from lrsched.errors import ConfigError, nearest
from lrsched.optimizers.switching import check_switching, switches
from lrsched.records import AVERAGE, with_averages
from lrsched.tasks.task import Task

if TYPE_CHECKING:
    from lrsched.data.stream.batches import ItemLoader


def check_choices(run: Settings) -> None:
    """Refuse targets and arguments that cannot be used before any data is loaded."""
    spec_of(run.scheduler)
    for component in (run.optimizer, run.model, run.dataset, *run.logger.values(), run.average):
        if component is not None:
            component.check()
    if run.trainer.on_nonfinite == "rollback" and run.checkpoint.every == "auto":
        rule = "goes back to a checkpoint, and with checkpoint.every=auto a clock says which ones there are"
        raise ConfigError("trainer.on_nonfinite", "rollback", rule, "give checkpoint.every=1ep, or another duration")
    if switches(run.optimizer.cls):
        check_switching(run.optimizer)
        if run.average is not None:
            rule = f"averages weights that {run.optimizer.cls.__name__} averages already"
            raise ConfigError("average", run.average.cls.__name__, rule, "give average=none")
    check_task(run.task)
    check_monitors(run, all_metrics(run))


def all_metrics(run: Settings) -> dict[str, str]:
    """Every metric that a run may have, of its task and those that are named, and which way it is better.

    Raises:
        ConfigError: a metric that cannot be used.
    """
    own, named = metrics_of(run.task), run.trainer.metrics
    for name, node in named.items():
        if not NAME.fullmatch(name):
            raise ConfigError(node.key, node.target, "a name is a letter, and then letters, digits, and _ . @ -")
        if name in own:
            rule = f"{name} is a metric of the task already"
            raise ConfigError(node.key, node.target, rule, f"give it another name, as trainer.metrics.{name}2")
        node.check()
    return {**own, **ways(run)}


def ways(run: Settings) -> dict[str, str]:
    """Which way the metrics that are named are better."""
    return {name: node.way for name, node in run.trainer.metrics.items()}


def check_monitors(run: Settings, better: Mapping[str, str]) -> None:
    """Refuse to monitor what the task does not measure, or the wrong way.

    Args:
        run: the settings.
        better: every metric of the task, and which way it is better.
    """
    directions = {f"val/{name}": direction for name, direction in better.items()}
    every = directions if run.average is None else {f"val/{name}": way for name, way in with_averages(better).items()}
    monitors = {
        "checkpoint.monitor": run.checkpoint.monitor,
        "trainer.early_stop.monitor": run.trainer.early_stop.monitor,
        "scheduler.monitor": run.scheduler.arguments.get("monitor", "val/loss"),
    }
    for key, monitor in monitors.items():
        known = directions if key == "scheduler.monitor" else every  # an average begins later
        if monitor not in known:
            rule, remedy = "is no metric of an evaluation", nearest(str(monitor), known)
            if run.average is None and monitor.startswith(f"val/{AVERAGE}"):
                remedy = "choose an average, as average=ema"
            elif monitor in every:
                rule = "begins when the average does, and a scheduler observes every evaluation"
                remedy = f"give {key}={monitor.replace(AVERAGE, '')}"
            raise ConfigError(key, monitor, rule, remedy)
    modes = (run.checkpoint.mode, run.trainer.early_stop.mode, run.scheduler.arguments.get("mode"))
    for (key, monitor), mode in zip(monitors.items(), modes, strict=True):
        right = every[monitor]
        if mode in ("min", "max") and mode != right:
            more = "the more the better" if right == "max" else "the less the better"
            key = f"{key.removesuffix('monitor')}mode"
            raise ConfigError(key, mode, f"the monitored {monitor} is {more}", f"give {key}={right}")


def task_for(run: Settings, task: Task, model: nn.Module, few: Batch) -> Task:
    """The task, once it has seen the model and two training samples.

    Raises:
        ConfigError: it cannot be asked of this model, or a metric is monitored that there is not for it.
    """
    if type(task).of is Task.of:
        return task
    try:
        with blamed(run.task, "its of() raised"):
            found = task.of(model, few)
    except ConfigError as error:
        raise error if error.key.startswith(run.task.key) else error.under(run.task.key) from error
    check_monitors(run, {**found.better, **ways(run)})
    return found


def check_smallest_batch(model: nn.Module, loader: Loader | ItemLoader) -> None:
    """Batch norm has no statistics of a single sample; PyTorch would say so in the last update of the first epoch."""
    if not any(isinstance(layer, _BatchNorm) for layer in model.modules()):
        return
    name = type(model).__name__
    if loader.batch_size == 1 or loader.samples % loader.batch_size == 1:
        raise ConfigError(
            "dataset.batch_size",
            loader.batch_size,
            f"leaves a batch of one of {loader.samples} samples, and {name} normalises over the batch",
            f"give another size, as {loader.batch_size + 1}",
        )
    last = loader.samples % loader.samples_per_step or loader.samples_per_step
    for count in (loader.samples_per_step, last):
        if not loader.cut.whole and any(1 in part for part in loader.cut.sizes(count, loader.batch_size)):
            lanes = loader.cut.lanes
            key, value = ("trainer.processes", loader.cut.size) if lanes is None else ("trainer.lanes", lanes)
            rule = f"leaves one sample of an update of {count} to itself, and {name} normalises over the batch"
            raise ConfigError(key, value, rule, "give fewer, or another dataset.batch_size")


def check_parts(model: nn.Module, cut: Cut) -> None:
    """Refuse layers whose work cannot be cut into the parts of processes and lanes.

    Raises:
        ConfigError: names the layer.
    """
    if cut.whole:
        return
    key, value = ("trainer.processes", cut.size) if cut.lanes is None else ("trainer.lanes", cut.lanes)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.SyncBatchNorm):
            rule = f"the layer {name} is a SyncBatchNorm, which exchanges statistics by itself"
            raise ConfigError(key, value, rule, "take BatchNorm: its statistics are those of a part")
        if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)) and layer.sparse:
            rule = f"the layer {name} has sparse gradients, which are not summed over parts"
            raise ConfigError(key, value, rule, "make it with sparse=False")


def lint_parts(model: nn.Module, cut: Cut) -> list[str]:
    """A warning where several processes do not come to the numbers of one, for a reason that lanes take away."""
    if cut.size == 1 or cut.lanes is not None:
        return []
    layers = [*model.modules()]
    kinds = {
        "batch norm's statistics": any(isinstance(layer, _BatchNorm) for layer in layers),
        "dropout": any(isinstance(layer, _DropoutNd) and layer.p > 0 for layer in layers),
    }
    found = [kind for kind, there in kinds.items() if there]
    if not found:
        return []
    are = "are" if len(found) > 1 or kinds["batch norm's statistics"] else "is"
    return [
        f"trainer.processes={cut.size}: {' and '.join(found)} {are} each process's own, so that losses are not "
        "those of one process; trainer.lanes, a power of two, makes them the same for any number of processes"
    ]
