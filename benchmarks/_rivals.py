"""The loops that ``bare.py`` compares: each gets a workload, and returns what is timed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from _work import Work
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lrsched.checkpoint.store import Store
from lrsched.loggers import TensorBoard
from lrsched.loggers.base import RunInfo
from lrsched.records import RunFolder
from lrsched.signals import StopFlag
from lrsched.train.evaluate import evaluate
from lrsched.train.journal import Journal
from lrsched.train.loop import Trainer

Loop = Callable[[Work], Callable[[], None]]

LOGGED = 100
"""Batches between two looks at the loss in PyTorch's own template."""


def bare(work: Work) -> Callable[[], None]:
    """Nothing but the updates: samples by a permutation, rates by hand."""
    model, optimizer, rates, clip = work.model, work.optimizer(), work.rates(), work.clip_norm
    columns, size = work.columns, work.batch_size

    def run() -> None:
        step = 0
        while step < work.steps:
            order = torch.randperm(len(columns[0]))
            for start in range(0, len(order), size)[: work.steps - step]:
                j = order[start : start + size]
                for group in optimizer.param_groups:
                    group["lr"] = rates[step]
                loss = work.loss(model, *[column[j] for column in columns])
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
                step += 1
                work.look(step)

    return run


def plain(work: Work) -> Callable[[], None]:
    """PyTorch's template: a DataLoader over a TensorDataset, a scheduler, and the loss printed now and then."""
    model, optimizer = work.model, work.optimizer()
    scheduler = work.schedule(optimizer)
    batches = _loader(work)

    def run() -> None:
        for step, batch in enumerate(islice(_for_ever(batches), work.steps), start=1):
            loss = work.loss(model, *batch)
            loss.backward()
            if work.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), work.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
            if step % LOGGED == 0:
                print(f"loss: {loss.item():>7f}  [{step:>5d}/{work.steps:>5d}]")
            work.look(step)

    return run


def accelerate(work: Work) -> Callable[[], None]:
    """Accelerate's template: the same loop with what it prepares."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    optimizer = work.optimizer()
    model, optimizer, batches, scheduler = accelerator.prepare(
        work.model, optimizer, _loader(work), work.schedule(optimizer)
    )

    def run() -> None:
        for step, batch in enumerate(islice(_for_ever(batches), work.steps), start=1):
            optimizer.zero_grad()
            loss = work.loss(model, *batch)
            accelerator.backward(loss)
            if work.clip_norm is not None:
                accelerator.clip_grad_norm_(model.parameters(), work.clip_norm)
            optimizer.step()
            scheduler.step()
            if step % LOGGED == 0:
                accelerator.print(f"loss: {loss.item():>7f}")
            work.look(step)

    return run


def lightning(work: Work) -> Callable[[], None]:
    """Lightning's template with its defaults: progress bar, logger, a checkpoint of each epoch."""
    import pytorch_lightning as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = work.model

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            loss = work.loss(self.model, *batch)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            optimizer = work.optimizer()
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": work.schedule(optimizer), "interval": "step"},
            }

    class Look(pl.Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            work.look(trainer.global_step)

    batches = _loader(work)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            trainer = pl.Trainer(
                accelerator="cpu",
                max_steps=work.steps,
                gradient_clip_val=work.clip_norm,
                callbacks=[Look()],
                default_root_dir=folder,
            )
            trainer.fit(Module(), batches)

    return run


def hugging_face(work: Work) -> Callable[[], None]:
    """Hugging Face's Trainer with its defaults, and the optimizer and scheduler of the recipe."""
    from transformers import Trainer as Theirs
    from transformers import TrainerCallback, TrainingArguments

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = work.model

        def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            return {"loss": work.loss(self.model, x, labels)}

    columns = dict(zip(("x", "labels"), work.columns, strict=False))

    class Samples(Dataset[dict[str, Tensor]]):
        def __len__(self) -> int:
            return len(work.columns[0])

        def __getitem__(self, number: int) -> dict[str, Tensor]:
            return {name: column[number] for name, column in columns.items()}

    class Look(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            work.look(state.global_step)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                max_steps=work.steps,
                per_device_train_batch_size=work.batch_size,
                max_grad_norm=work.clip_norm or 0.0,
                use_cpu=True,
                dataloader_pin_memory=False,
            )
            optimizer = work.optimizer()
            both = (optimizer, work.schedule(optimizer))
            Theirs(Module(), arguments, train_dataset=Samples(), optimizers=both, callbacks=[Look()]).train()

    return run


def ours(work: Work) -> Callable[[], None]:
    """A whole run as ``lrsched`` makes it once its parts are built: rows, TensorBoard, gradient norms, checkpoints."""
    parts = work.parts

    def look() -> dict[str, float]:
        with work.clock.paused() as seconds:
            if work.aim is not None:
                work.test(seconds)
            return evaluate(parts.state.model, parts.validation, parts.task, parts.precision, "val")

    def run() -> None:
        with tempfile.TemporaryDirectory() as place, StopFlag() as stop:
            folder, logger, horizon = RunFolder(Path(place)), TensorBoard(), parts.horizon
            pace = (horizon.steps, horizon.steps_per_epoch, parts.loader.samples_per_step)
            logger.open(RunInfo(folder.path, work.config, *pace))
            journal = Journal(folder, [logger])
            Trainer(
                state=parts.state,
                update=parts.update,
                evaluate=look,
                horizon=horizon,
                timetable=parts.timetable,
                store=Store(folder.checkpoints),
                journal=journal,
                about={},
                stop=stop,
            ).run()
            journal.close(parts.state.metrics, "finished")

    return run


RIVALS: dict[str, Loop] = {
    "bare": bare,
    "ours": ours,
    "plain": plain,
    "accelerate": accelerate,
    "lightning": lightning,
    "hf": hugging_face,
}


def _loader(work: Work) -> DataLoader[tuple[Tensor, ...]]:
    return DataLoader(TensorDataset(*work.columns), batch_size=work.batch_size, shuffle=True)


def _for_ever(batches: Any) -> Iterator[Any]:
    while True:
        yield from batches
