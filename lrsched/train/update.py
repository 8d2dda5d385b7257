"""One update: the order of a step, written once."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.loader import Loader
from lrsched.errors import NotFinite
from lrsched.optimizers.lean import lean_step
from lrsched.seeds import key
from lrsched.train.state import RunState

_MOST_RETRIES = 64  # fp16: 2⁶⁴ is far beyond any loss scale, so more overflows in a row are no overflow


class Precision:
    """The arithmetic of the forward pass: fp32, or autocast to bf16 or fp16."""

    TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}  # noqa: RUF012

    def __init__(self, name: str, device: torch.device) -> None:
        self.name, self._device = name, device.type

    def __call__(self) -> AbstractContextManager[None]:
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self._device, dtype=self.TYPES[self.name])  # type: ignore[return-value]

    def scaler(self) -> torch.amp.GradScaler | None:
        """fp16 needs its loss scaled; nothing else does."""
        return torch.amp.GradScaler(self._device) if self.name == "fp16" else None


class Update:
    """Takes a run from rest at step s to rest at step s + 1.

    ::

        scheduler.set(s)              the values in force before the forward pass, and those logged at s
        for each micro-batch m:       loader.batch(s)[m] -> augment(seed, s, m) -> forward -> loss/M -> backward
        unscale -> finite? -> clip -> optimizer.step -> zero_grad -> step = s + 1

    An update that fp16 overflow skipped is not a step: it is tried again with the same batch at the
    lower scale, and counted. Dropout is a function of (seed, s, m), whatever was drawn before.

    Args:
        loader: gives the micro-batches of a step.
        precision: the arithmetic of the forward pass.
        seed: of the run.
        clip_norm: largest norm of the whole gradient, or None.
        label_smoothing: of the cross-entropy, in [0, 1).
    """

    def __init__(
        self,
        loader: Loader,
        precision: Precision,
        *,
        seed: int,
        device: torch.device,
        clip_norm: float | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self._loader, self._precision, self._seed = loader, precision, seed
        self._clip_norm, self._label_smoothing = clip_norm, label_smoothing
        self._on_cpu = device.type == "cpu"
        self._reseed: Callable[[int], object] = (
            torch.cuda.manual_seed if device.type == "cuda" else torch.default_generator.manual_seed
        )
        self._stepper: tuple[torch.optim.Optimizer, Callable[[], object], list[nn.Parameter]] | None = None

    def __call__(self, state: RunState, want_norm: bool = False) -> float | None:
        """Make update ``state.step``.

        Args:
            want_norm: also compute the gradient's norm, before clipping.

        Returns:
            The norm if wanted.

        Raises:
            NotFinite: the loss or the gradient is not finite; the weights are still those of step s.
        """
        for _ in range(_MOST_RETRIES):
            state.scheduler.set(state.step)
            loss = self._backward(state)
            norm = self._clip(state, want_norm)
            if self._step(state):
                state.window.add(loss)
                state.step += 1
                return None if norm is None else float(norm)
            state.skipped += 1
        raise NotFinite(f"step {state.step}: {_MOST_RETRIES} updates in a row overflowed, at ever lower loss scales")

    def _backward(self, state: RunState) -> Tensor:
        """Gradients of the mean loss over all samples of the update; returns that loss."""
        batches = self._loader.batch(state.step)
        samples = sum(len(y) for _, y in batches)
        total: Tensor | None = None
        for m, (x, y) in enumerate(batches):
            self._reseed(key(self._seed, "model", state.step, m))
            with self._precision():
                loss = cross_entropy(state.model(x), y, label_smoothing=self._label_smoothing)
            if len(batches) > 1:
                loss = loss * (len(y) / samples)
            if self._on_cpu and not math.isfinite(loss.item()):  # elsewhere it would make the host wait
                raise NotFinite(f"step {state.step}: the training loss is {loss.item()}")
            (loss if state.scaler is None else state.scaler.scale(loss)).backward()
            loss = loss.detach()
            total = loss if total is None else total + loss
        assert total is not None  # an update has at least one sample
        return total

    def _clip(self, state: RunState, want_norm: bool) -> Tensor | None:
        if self._clip_norm is None and not want_norm:
            return None
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        _, _, parameters = self._tools(state)
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if state.scaler is None and not math.isfinite(norm.item()):
            raise NotFinite(f"step {state.step}: the norm of the gradient is {norm.item()}")
        if self._clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self._clip_norm, norm)
        return norm

    def _step(self, state: RunState) -> bool:
        """Step the optimizer and clear the gradients; False if fp16 overflow skipped it."""
        optimizer_step, parameters = self._tools(state)[1:]
        taken = True
        if state.scaler is None:
            optimizer_step()
        else:
            scale = state.scaler.get_scale()
            state.scaler.step(state.optimizer)
            state.scaler.update()
            taken = state.scaler.get_scale() >= scale
        for parameter in parameters:
            parameter.grad = None
        return taken

    def _tools(self, state: RunState) -> tuple[torch.optim.Optimizer, Callable[[], object], list[nn.Parameter]]:
        if self._stepper is None or self._stepper[0] is not state.optimizer:
            parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
            self._stepper = state.optimizer, lean_step(state.optimizer), parameters
        return self._stepper
