"""Inject faults into a run by wrapping its parts from outside: the product has no hooks for them."""

from __future__ import annotations

import os
import signal
from typing import Any


def stop_at(step: int, number: int = signal.SIGTERM) -> None:
    """Send the process a signal when ``step`` updates are completed, before it comes to rest."""
    from lrsched.train.update import Update

    original = Update.__call__

    def call(self: Update, state: Any, *arguments: Any, **named: Any) -> Any:
        answer = original(self, state, *arguments, **named)
        if state.step == step:
            os.kill(os.getpid(), number)
        return answer

    Update.__call__ = call


def kill_after_save(step: int) -> None:
    """Die by SIGKILL right after the checkpoint of this step: print and close nothing."""
    from lrsched.checkpoint.store import Store

    original = Store.save

    def save(self: Store, at: int, *arguments: Any, **named: Any) -> Any:
        answer = original(self, at, *arguments, **named)
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Store.save = save  # type: ignore[method-assign]


def stop_and_kill(step: int) -> None:
    """Ask for a stop at ``step``, and die by SIGKILL right after its checkpoint."""
    stop_at(step)
    kill_after_save(step)


def log_steps(path: str) -> None:
    """Log each completed update, each save and the first step to a file that a kill does not lose.

    Lines are ``from S`` (the step that the run starts or goes on from), ``done S``, ``saving S``, ``saved S``.
    """
    from lrsched.checkpoint.store import Store
    from lrsched.train.loop import Trainer
    from lrsched.train.update import Update

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(word: str, step: int) -> None:
        os.write(descriptor, f"{word} {step}\n".encode())

    update, save, train = Update.__call__, Store.save, Trainer.run

    def logged_update(self: Update, state: Any, *arguments: Any, **named: Any) -> Any:
        answer = update(self, state, *arguments, **named)
        write("done", state.step)
        return answer

    def logged_save(self: Store, step: int, *arguments: Any, **named: Any) -> Any:
        write("saving", step)
        answer = save(self, step, *arguments, **named)
        write("saved", step)
        return answer

    def logged_train(self: Trainer) -> Any:
        write("from", self.state.step)
        return train(self)

    Update.__call__ = logged_update
    Store.save = logged_save
    Trainer.run = logged_train


def draw_globally() -> None:
    """Not a fault: draw from every global generator before each update, as a user's code may."""
    import random

    import numpy as np
    import torch

    from lrsched.train.update import Update

    original = Update.__call__

    def call(self: Update, state: Any, *arguments: Any, **named: Any) -> Any:
        drawn = random.random() + float(np.random.rand()) + torch.rand(()).item()
        with torch.no_grad():
            next(iter(state.model.parameters())).mul_(1 + 0.01 * drawn)
        return original(self, state, *arguments, **named)

    Update.__call__ = call


def overflow_at_first() -> None:
    """Not a fault: start with a loss scale so high that the first fp16 updates overflow and are repeated."""
    import torch

    from lrsched.train.update import Precision

    Precision.scaler = lambda self: torch.amp.GradScaler("cpu", init_scale=2.0**24) if self.name == "fp16" else None


def shift_clock(seconds: float, at: int = 0) -> None:
    """Shift the time of day, from the start or from the end of update ``at``."""
    import time

    from lrsched.train.update import Update

    now, original = time.time, Update.__call__

    def shift() -> None:
        time.time = lambda: now() + seconds

    def call(self: Update, state: Any, *arguments: Any, **named: Any) -> Any:
        answer = original(self, state, *arguments, **named)
        if state.step == at:
            shift()
        return answer

    if at:
        Update.__call__ = call
    else:
        shift()


def poison(batch: int) -> None:
    """Put a NaN into the first image of a batch, at each call."""
    from lrsched.data.loader import Loader

    original = Loader.batch

    def poisoned(self: Loader, step: int) -> Any:
        batches = original(self, step)
        if step == batch:
            batches[0][0][0, 0, 0, 0] = float("nan")
        return batches

    Loader.batch = poisoned


def trust(modules: str) -> None:
    """Not a fault: trust these modules, as a user's environment may."""
    import os

    os.environ["LRSCHED_TRUST"] = modules
