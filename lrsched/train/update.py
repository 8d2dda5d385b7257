"""One update: the order of a step, written once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.loader import Loader
from lrsched.errors import NotFinite
from lrsched.optimizers.lean import lean_step
from lrsched.seeds import key
from lrsched.train.nonfinite import Buffers, Watch, all_finite, culprits, largest, total_norm
from lrsched.train.precision import Precision
from lrsched.train.state import RunState

log = logging.getLogger("lrsched")

_MOST_RETRIES = 64  # fp16: 2⁶⁴ is far beyond any loss scale, so more overflows in a row are no overflow

MOST_PASSED = 16
"""Batches in a row that may be passed over; one more, and it is not the data."""


class Update:
    """Takes a run from rest at step s to rest at step s + 1.

    ::

        scheduler.set(s)              the values in force before the forward pass, and those logged at s
        for each micro-batch m:       loader.batch(n)[m] -> augment(seed, n, m) -> forward -> loss/M -> backward
        unscale -> finite? -> clip -> optimizer.step -> zero_grad -> step = s + 1

    The batch has the number n = s + the batches passed over so far, and everything that is random in the
    update is a function of (seed, n, m): dropout too, whatever was drawn before.

    An update that fp16 overflow skipped is not a step: it is tried again with the same batch at the
    lower scale, and counted. An update whose loss or gradient is not finite is none either: it leaves
    weights, buffers and optimizer as they were, and ends the run, or with ``skip`` its batch is passed over.

    Args:
        loader: gives the micro-batches of a batch number.
        precision: the arithmetic of the forward pass.
        seed: of the run.
        clip_norm: largest norm of the whole gradient, or None.
        label_smoothing: of the cross-entropy, in [0, 1).
        skip: pass over batches that are not finite.
        wait: look at every update before the optimizer steps, which makes the host wait for the device.
            None: where it costs next to nothing (CPU), and where it must be (``skip``). Without it,
            the first bad update is remembered on the device; :meth:`check` tells.
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
        skip: bool = False,
        wait: bool | None = None,
    ) -> None:
        self._loader, self._precision, self._seed = loader, precision, seed
        self._clip_norm, self._label_smoothing, self._skip = clip_norm, label_smoothing, skip
        at_once = skip or device.type == "cpu" if wait is None else wait
        self._watch = None if at_once else Watch(device)
        self._reseed: Callable[[int], object] = (
            torch.cuda.manual_seed if device.type == "cuda" else torch.default_generator.manual_seed
        )
        self._stepper: tuple[torch.optim.Optimizer, Callable[[], object], list[nn.Parameter]] | None = None
        self._buffers: Buffers | None = None

    def __call__(self, state: RunState, want_norm: bool = False) -> float | None:
        """Make update ``state.step``.

        Args:
            want_norm: also compute the gradient's norm, before clipping.

        Returns:
            The norm if wanted.

        Raises:
            NotFinite: the loss or the gradient is not finite, with ``skip`` for too many batches in a row;
                the state is that of step s.
        """
        passed = state.passed
        while True:
            try:
                return self._made(state, want_norm)
            except NotFinite as found:
                if not self._skip:
                    raise
                if state.passed - passed == MOST_PASSED:
                    state.passed = passed
                    rule = f"so it was for {MOST_PASSED + 1} batches in a row: the weights are at fault, not the data"
                    raise found.advised(rule) from found
                state.passed += 1
                log.warning(
                    "step %d: %s; passed over the batch of the samples %s", found.step, found.what, found.samples
                )

    def check(self, state: RunState) -> None:
        """Refuse to go on after an update that was not finite and was not waited for.

        Raises:
            NotFinite: there was one; the weights have been wrong since.
        """
        found = None if self._watch is None else self._watch.read()
        if found is not None:
            step, what = found
            samples = self._loader.sample_numbers(step + state.passed)
            raise NotFinite(f"{what} is not finite (found at step {state.step})", step, samples)

    def _made(self, state: RunState, want_norm: bool) -> float | None:
        """The update with this very batch, as often as it overflows; what was not finite leaves nothing behind."""
        if self._buffers is None or self._buffers.model is not state.model:
            self._buffers = Buffers(state.model)
        buffers, scaler = self._buffers, None if state.scaler is None else state.scaler.state_dict()
        skipped = state.skipped
        if self._watch is None or state.scaler is not None:
            buffers.take()
        try:
            for _ in range(_MOST_RETRIES):
                state.scheduler.set(state.step)
                loss = self._backward(state)
                norm = self._finite_norm(state, loss, want_norm)
                if self._step(state, norm):
                    state.window.add(loss)
                    state.step += 1
                    return None if norm is None else float(norm)
                buffers.put_back()
                if self._watch is not None and not math.isfinite(loss.item()):  # the scaler made the host wait anyway
                    raise self._found(state, f"the training loss is {loss.item()}")
                state.skipped += 1
            raise self._found(
                state, f"the gradient overflowed {_MOST_RETRIES} times in a row, at ever lower loss scales"
            )
        except NotFinite:
            buffers.put_back()
            self._clear(state)
            state.skipped = skipped
            if state.scaler is not None and scaler is not None:
                state.scaler.load_state_dict(scaler)
            raise

    def _backward(self, state: RunState) -> Tensor:
        """Gradients of the mean loss over all samples of the update; returns that loss."""
        number = state.step + state.passed
        batches = self._loader.batch(number)
        samples = sum(len(y) for _, y in batches)
        total: Tensor | None = None
        for m, (x, y) in enumerate(batches):
            self._reseed(key(self._seed, "model", number, m))
            with self._precision():
                loss = cross_entropy(state.model(x), y, label_smoothing=self._label_smoothing)
            if len(batches) > 1:
                loss = loss * (len(y) / samples)
            if self._watch is None and not math.isfinite(loss.item()):
                raise self._found(state, f"the training loss is {loss.item()}")
            (loss if state.scaler is None else state.scaler.scale(loss)).backward()
            loss = loss.detach()
            total = loss if total is None else total + loss
        assert total is not None  # an update has at least one sample
        return total

    def _finite_norm(self, state: RunState, loss: Tensor, want_norm: bool) -> Tensor | None:
        """The gradient's norm if it is needed, before clipping; a gradient that is not finite is refused.

        Gradients under a loss scale are the scaler's to look at.
        """
        norm = None
        gradients = [p.grad for p in self._tools(state)[2] if p.grad is not None]
        if self._clip_norm is not None or want_norm:
            if state.scaler is not None:
                state.scaler.unscale_(state.optimizer)
            waits = self._watch is None or want_norm
            norm = total_norm(gradients) if waits else torch.nn.utils.get_total_norm(gradients)
        if state.scaler is not None:
            return norm
        if self._watch is not None:
            self._watch.note(state.step, loss, largest(gradients))
        elif not ((norm is not None and math.isfinite(norm.item())) or all_finite(gradients)):
            names = culprits(state.model, self._tools(state)[2])
            raise self._found(state, f"the gradient of {names} is not finite")
        return norm

    def _step(self, state: RunState, norm: Tensor | None) -> bool:
        """Clip, step the optimizer and clear the gradients; False if fp16 overflow skipped it."""
        optimizer_step, parameters = self._tools(state)[1:]
        if self._clip_norm is not None and norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self._clip_norm, norm)
        taken = True
        if state.scaler is None:
            optimizer_step()
        else:
            scale = state.scaler.get_scale()
            state.scaler.step(state.optimizer)
            state.scaler.update()
            taken = state.scaler.get_scale() >= scale
        self._clear(state)
        return taken

    def _clear(self, state: RunState) -> None:
        for parameter in self._tools(state)[2]:
            parameter.grad = None

    def _found(self, state: RunState, what: str) -> NotFinite:
        return NotFinite(what, state.step, self._loader.sample_numbers(state.step + state.passed))

    def _tools(self, state: RunState) -> tuple[torch.optim.Optimizer, Callable[[], object], list[nn.Parameter]]:
        if self._stepper is None or self._stepper[0] is not state.optimizer:
            parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
            self._stepper = state.optimizer, lean_step(state.optimizer), parameters
        return self._stepper
