"""RunState: everything that changes during a run, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrsched.data.clock import Clock
from lrsched.errors import CheckpointError
from lrsched.optimizers.lean import without_dynamo
from lrsched.records import AVERAGE
from lrsched.schedulers.base import Scheduler
from lrsched.train.averaging import Averaged
from lrsched.train.check_state import check_fits
from lrsched.train.rng import generators_state, set_generators
from lrsched.train.tracker import Tracker, Window


@dataclass
class RunState:
    """A run at rest between two updates: ``step`` updates are completed.

    Args:
        model, optimizer, scheduler, scaler: as the config describes them (scaler: fp16 only).
        best: tracks the metric that selects the best checkpoint.
        early: tracks the metric of early stopping.
        window: the open window of the training loss.
        clock: of the run that goes on; saved, and built anew from the saved one before a state is loaded.
        average: of the weights, or None.
        step: completed updates.
        skipped: updates repeated after an fp16 overflow; they do not count as steps.
        passed: batches passed over, so that update s trains with batch s + passed.
        rollbacks: steps of the checkpoints that the run went back to, in order.
        evaluated: the step of the last evaluation, or -1.
        best_weights: the model's state at the best evaluation, on the CPU.
        kept: weights and optimizer state saved for a backtracking scheduler.
        metrics_bytes: length of ``metrics.jsonl`` at the last save; a resume repeats the later rows.
        seconds: training time so far. Measured by a clock: saved, never compared.
        save_seconds: duration of the last save. Measured by a clock, too.
    """

    model: nn.Module
    optimizer: Optimizer
    scheduler: Scheduler
    scaler: torch.amp.GradScaler | None
    best: Tracker
    early: Tracker
    window: Window
    clock: Clock
    average: Averaged | None = None
    step: int = 0
    skipped: int = 0
    passed: int = 0
    rollbacks: list[int] = field(default_factory=list)
    evaluated: int = -1
    metrics: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Any] | None = None
    kept: dict[str, Any] | None = None
    metrics_bytes: int = 0
    seconds: float = 0.0
    save_seconds: float = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The whole state as tensors, numbers, text and containers of these."""
        return {
            "step": self.step,
            "skipped": self.skipped,
            "passed": self.passed,
            "rollbacks": list(self.rollbacks),
            "evaluated": self.evaluated,
            "metrics": dict(self.metrics),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer_state(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "best": asdict(self.best),
            "best_weights": self.best_weights,
            "early": asdict(self.early),
            "window": {"total": self.window.total.detach().cpu(), "updates": self.window.updates},
            "kept": self.kept,
            "clock": self.clock.state_dict(),
            "generators": generators_state(self.window.total.device),
            "metrics_bytes": self.metrics_bytes,
            "seconds": self.seconds,
            "save_seconds": self.save_seconds,
            **({} if self.average is None else {"average": self.average.state_dict()}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a saved state; change nothing unless all of it fits.

        Build the scheduler, then load the optimizer, then the scheduler: in any other order PyTorch's
        schedulers compute wrong rates (building one changes the optimizer, and a scheduler's state does
        not hold the optimizer's rates). The generators come last.

        Raises:
            CheckpointError: the state does not fit this model, optimizer or scheduler.
        """
        live = self.state_dict()
        state = {**state, "clock": live["clock"]}
        parameters = {name for name, _ in self.model.named_parameters(remove_duplicate=False)}
        check_fits(state, live, self.optimizer, growing=set(live["model"]) - parameters)
        try:
            self.model.load_state_dict(state["model"])
            with without_dynamo():
                self.optimizer.load_state_dict(state["optimizer"])
            self.scheduler.load_state_dict(state["scheduler"])
            if self.scaler is not None:
                self.scaler.load_state_dict(state["scaler"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.best, self.early = Tracker(**state["best"]), Tracker(**state["early"])
            self.window.total.copy_(state["window"]["total"])
            self.window.updates = state["window"]["updates"]
            self.step, self.skipped, self.evaluated = state["step"], state["skipped"], state["evaluated"]
            self.passed, self.rollbacks = state["passed"], list(state["rollbacks"])
            self.metrics, self.best_weights, self.kept = dict(state["metrics"]), state["best_weights"], state["kept"]
            self.metrics_bytes = state["metrics_bytes"]
            self.seconds, self.save_seconds = state["seconds"], state["save_seconds"]
            set_generators(state["generators"], self.window.total.device)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise CheckpointError(f"the checkpoint does not fit this model, optimizer or scheduler: {error}") from error

    def record_metrics(self, metrics: Mapping[str, float], *, early: bool = True) -> None:
        """Record the metrics of an evaluation made now, and copy the weights if they are the best so far.

        Args:
            metrics: of the evaluation.
            early: whether it counts for early stopping.
        """
        self.evaluated, self.metrics = self.step, dict(metrics)
        if early:
            self.early.see(self.step, metrics)
        if self.best.see(self.step, metrics):
            best = self.average.model if self.average is not None and self.keeps_average else self.model
            self.best_weights = copied(dict(best.state_dict()), torch.device("cpu"))

    @property
    def keeps_average(self) -> bool:
        """Whether the best weights are those of the average."""
        return self.best.monitor.startswith(f"val/{AVERAGE}")

    def optimizer_state(self) -> dict[str, Any]:
        """The optimizer's state_dict."""
        with without_dynamo():
            return self.optimizer.state_dict()

    def keep(self) -> None:
        """Copy the present weights and optimizer state, in memory."""
        average = {} if self.average is None else {"average": self.average.state_dict()}
        self.kept = copied({"model": self.model.state_dict(), "optimizer": self.optimizer_state(), **average})

    def go_back(self) -> None:
        """Return to the weights and optimizer state that were kept, if any."""
        if self.kept is not None:
            kept = copied(self.kept)
            self.model.load_state_dict(kept["model"])
            with without_dynamo():
                self.optimizer.load_state_dict(kept["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(kept["average"])


def weights_sha256(model: nn.Module) -> str:
    """SHA-256 over the tensors of the state_dict in sorted name order: name, dtype, shape and little-endian bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted((name, item) for name, item in model.state_dict().items() if isinstance(item, Tensor)):
        tensor = tensor.detach().cpu().contiguous()
        digest.update(name.encode())
        digest.update(str(tensor.dtype).encode())
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def copied(value: Any, device: torch.device | None = None) -> Any:
    """A copy of weights or another state, its tensors on ``device`` if one is given."""
    if isinstance(value, Tensor):
        return value.detach().clone() if device is None else value.detach().to(device, copy=True)
    if isinstance(value, dict):
        return {key: copied(item, device) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(item, device) for item in value)
    return deepcopy(value)
