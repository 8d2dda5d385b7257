"""Look at a model: the pictures and the text that its task shows of it, made without changing a bit of the run."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.data.batch import Batch, each
from lrsched.picture import png
from lrsched.seeds import key
from lrsched.tasks.task import Task
from lrsched.train.nonfinite import Buffers
from lrsched.train.precision import Precision
from lrsched.train.rng import generators_state, seed_generators, set_generators

log = logging.getLogger("lrsched")

Shown = dict[str, bytes | str]
"""By a name that a file may have: a PNG file, or text."""


class Show:
    """Asks the task to show the first batch of the validation part; an error of its is said once and ends nothing.

    Args:
        task: of the run.
        batches: of the validation part.
        precision: the arithmetic of the run.
        seed: of the run: what a task draws depends on it and on the step.
        device: of the model.
        tell: prints a warning.
    """

    def __init__(
        self,
        task: Task,
        batches: Iterable[Batch],
        precision: Precision,
        *,
        seed: int,
        device: torch.device,
        tell: Callable[[str], None],
    ) -> None:
        self._task, self._batches, self._precision = task, batches, precision
        self._seed, self._device, self._tell = seed, device, tell
        self._said = False

    def __call__(self, model: nn.Module, step: int) -> Shown:
        """What there is to see of the model; empty if the task shows nothing, or cannot."""
        if type(self._task).show is Task.show:
            return {}
        with unchanged(model, self._device):
            try:
                batch = each(next(iter(self._batches)), lambda column: column.clone())
                seed_generators(key(self._seed, "show", step))
                with torch.inference_mode(), self._precision():
                    return files(self._task.show(model.eval(), batch))
            except Exception as error:
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                message = f"warning: task={type(self._task).__name__}: its show() failed at step {step}: {reason}"
                log.warning(message, exc_info=True)
                if not self._said:
                    self._tell(f"{message}; the run goes on without")
                self._said = True
                return {}


@contextmanager
def unchanged(model: nn.Module, device: torch.device) -> Generator[None]:
    """Put back the model's weights, buffers, gradients and modes, and every random generator, at the end."""
    generators, buffers = generators_state(device), Buffers(model)
    modes = [(module, module.training) for module in model.modules()]
    weights = [(weight, weight.data, weight.data.clone(), weight.grad) for weight in model.parameters()]
    buffers.take()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        buffers.put_back()
        for weight, place, content, gradient in weights:
            weight.data = place.copy_(content)
            weight.grad = gradient
        set_generators(generators, device)


def files(shown: Mapping[str, Any]) -> Shown:
    """What a task shows, as files: pictures as PNG.

    Raises:
        TypeError: it is neither a picture nor text.

    >>> list(files({"wrong answers": torch.zeros(2, 3, 3, dtype=torch.uint8), "in words": "none"}))
    ['wrong-answers', 'in-words']
    """
    found: Shown = {}
    for name, content in shown.items():
        word = re.sub(r"[^A-Za-z0-9]+", "-", str(name)).strip("-")[:60] or "shown"
        while word in found:
            word += "-again"
        found[word] = content if isinstance(content, str) else _as_png(name, content)
    return found


def _as_png(name: str, content: Any) -> bytes:
    picture = content if isinstance(content, Tensor) else torch.as_tensor(content)
    if picture.dtype != torch.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.numel():
        form = f"{str(picture.dtype).removeprefix('torch.')} {list(picture.shape)}"
        raise TypeError(f"{name}: a picture is uint8 [H, W, 3], and this is {form}")
    height, width, _ = picture.shape
    return png(picture.cpu().contiguous().numpy().tobytes(), width, height)
