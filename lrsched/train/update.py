"""One update: the order of a step, written once."""

from __future__ import annotations

import logging
import math
from functools import partial, reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lrsched.data.loader import Loader
from lrsched.errors import NotFinite
from lrsched.optimizers.switching import begin, rest
from lrsched.ranks.world import ALONE, World
from lrsched.tasks.task import Task, share
from lrsched.train.gradient.stepper import Stepper
from lrsched.train.gradient.whole import Backward
from lrsched.train.nonfinite import Buffers, NonFiniteFlag, all_finite, culprits, largest, total_norm
from lrsched.train.precision import Precision
from lrsched.train.state import RunState

if TYPE_CHECKING:
    from lrsched.data.stream.batches import ItemLoader
    from lrsched.train.gradient.parted import Parted

log = logging.getLogger("lrsched")

_MOST_RETRIES = 64  # fp16: 2⁶⁴ is far beyond any loss scale, so more overflows in a row are no overflow

MOST_PASSED = 16
"""Consecutive batches that may be passed over; one more, and the data are not the cause."""


class _Overflow(Exception):
    """fp16 gradients overflowed, so the optimizer did not step; carries the loss."""

    def __init__(self, loss: Tensor) -> None:
        self.loss = loss


class Update:
    """Takes a run from rest at step s to rest at step s + 1.

    ::

        scheduler.set(s)              the values in force before the forward pass, and those logged at s
        for each micro-batch m:       loader.batch(n)[m] -> transform(seed, n, m) -> task.loss·weight -> backward
                                      (in lanes or on several processes: see ``Parted``)
        unscale -> finite? -> clip -> optimizer.step -> zero_grad -> average.update -> step = s + 1

    ``_once`` is these lines, ``_retry`` handles fp16 overflow, ``__call__`` handles ``skip``, and
    ``check`` reports what was not waited for.

    The batch has the number n = s + the batches passed over so far, and everything random in the
    update is a function of (seed, n, m): dropout too, whatever was drawn before.

    An update that overflows in fp16 does not count as a step: it is tried again with the same batch at
    the lower scale, and counted. Nor does an update whose loss or gradient is not finite: it leaves
    weights, buffers and optimizer as they were and ends the run, or with ``skip`` passes over its batch.

    Args:
        loader: gives the micro-batches of a batch number.
        task: gives the loss of a batch, and what it weighs.
        precision: the arithmetic of the forward pass.
        seed: of the run.
        device: where the model and the batches are.
        clip_norm: largest norm of the whole gradient, or None.
        skip: pass over batches that are not finite.
        wait: look at every update before the optimizer steps, which makes the host wait for the device.
            None: where it costs next to nothing (CPU), and where it must be (``skip``). Without it,
            the first bad update is remembered on the device, and :meth:`check` raises.
        world: the processes of the run, each with its parts of every update.
    """

    def __init__(
        self,
        loader: Loader | ItemLoader,
        task: Task,
        precision: Precision,
        *,
        seed: int,
        device: torch.device,
        clip_norm: float | None = None,
        skip: bool = False,
        wait: bool | None = None,
        world: World = ALONE,
    ) -> None:
        self._loader, self._task = loader, task
        self._clip_norm, self._skip = clip_norm, skip
        at_once = skip or device.type == "cpu" if wait is None else wait
        self._flag = None if at_once else NonFiniteFlag(device)
        self._backward = Backward(task, precision, seed, device)
        self._parted = None if loader.cut.whole else _parted(loader, self._backward, world)
        self._stepper: Stepper | None = None
        self._buffers: Buffers | None = None

    def __call__(self, state: RunState, want_norm: bool = False) -> float | None:
        """Make update ``state.step``; with ``skip``, try batch after batch until one is finite.

        Args:
            want_norm: also compute the gradient's norm, before clipping.

        Returns:
            The norm if it is wanted, or is known anyway.

        Raises:
            NotFinite: the loss or the gradient is not finite, with ``skip`` for too many consecutive batches;
                the state is that of step s.
        """
        passed = state.passed
        while True:
            try:
                norm = self._at_work(state, want_norm)
                return norm.item() if norm is not None and self._waits(want_norm) else None
            except NotFinite as found:
                if not self._skip:
                    raise
                if state.passed - passed == MOST_PASSED:
                    state.passed = passed
                    rule = f"{MOST_PASSED + 1} consecutive batches were not finite: suspect the weights, not the data"
                    raise found.advised(rule, tried=True) from found
                state.passed += 1
                log.warning("step %d: %s; passed over the batch of samples %s", found.step, found.what, found.samples)

    def check(self, state: RunState) -> None:
        """Refuse to go on after an update that was not finite and was not waited for.

        Raises:
            NotFinite: there was one; the weights have been wrong since.
        """
        found = None if self._flag is None else self._flag.read()
        if found is not None:
            step, what = found
            samples = self._loader.sample_numbers(step + state.passed)
            raise NotFinite(f"{what} is not finite (found at step {state.step})", step, samples)

    def _at_work(self, state: RunState, want_norm: bool) -> Tensor | None:
        """Update at the weights where the optimizer takes the gradient, if they are others than those at rest."""
        if not self._tools(state)[0].switches:
            return self._retry(state, want_norm)
        begin(state.optimizer)
        try:
            return self._retry(state, want_norm)
        finally:
            rest(state.optimizer)

    def _retry(self, state: RunState, want_norm: bool) -> Tensor | None:
        """Update with this very batch, as often as fp16 overflows; undo everything if it is not finite."""
        stepper, buffers = self._tools(state)
        scaler, skipped = state.scaler, state.skipped
        scale = None if scaler is None else scaler.state_dict()
        if self._flag is None or scaler is not None:
            buffers.take()
        try:
            for _ in range(_MOST_RETRIES):
                try:
                    return self._once(state, stepper, want_norm)
                except _Overflow as overflow:  # the scaler has made the host wait already
                    stepper.clear()
                    buffers.put_back()
                    self._require_finite(state, overflow.loss)
                    state.skipped += 1
            self._refuse(state, f"the gradient overflowed {_MOST_RETRIES} times in a row, at ever lower loss scales")
            return None
        except NotFinite:
            stepper.clear()
            buffers.put_back()
            state.skipped = skipped
            if scaler is not None and scale is not None:
                scaler.load_state_dict(scale)
            raise

    def _once(self, state: RunState, stepper: Stepper, want_norm: bool) -> Tensor | None:
        """The update itself: the lines of the class's docstring, in their order."""
        state.scheduler.set(state.clock.place(state.step))
        number, scaler = state.step + state.passed, state.scaler
        total = self._gradient(state, stepper, number)
        norm = self._unscaled_norm(state, stepper, want_norm)
        if scaler is None:  # else the scaler looks
            self._require_finite_gradient(state, stepper, total, norm)
        if self._clip_norm is not None and norm is not None:
            torch.nn.utils.clip_grads_with_norm_(stepper.parameters, self._clip_norm, norm)
        if not stepper.step(scaler):
            raise _Overflow(total)
        stepper.clear()
        if state.average is not None:
            state.average.update(state.model, state.clock.place(state.step))
        state.window.add(total)
        state.step += 1
        return norm

    def _gradient(self, state: RunState, stepper: Stepper, number: int) -> Tensor:
        """Give the parameters the gradient of a batch, and return its loss."""
        look = None if self._flag is not None else partial(self._require_finite, state)
        if self._parted is not None:
            total = self._parted(state, stepper.parameters, number)
            if look is not None:
                look(total)
            return total
        batches = self._loader.batch(number)
        weights = [self._task.weight(batch) for batch in batches] if len(batches) > 1 else []
        whole = sum(weights)
        losses = [
            self._backward(
                state.model, batch, (number, m), share(weights[m], whole) if weights else None, state.scaler, look
            )
            for m, batch in enumerate(batches)
        ]
        return reduce(torch.add, losses)  # an update has at least one sample

    def _unscaled_norm(self, state: RunState, stepper: Stepper, want_norm: bool) -> Tensor | None:
        """The norm of the whole gradient if it is needed, before clipping; under a loss scale, of the unscaled one."""
        if self._clip_norm is None and not want_norm:
            return None
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        norm_of = total_norm if self._waits(want_norm) else torch.nn.utils.get_total_norm
        return norm_of(stepper.gradients())

    def _waits(self, want_norm: bool) -> bool:
        return want_norm or self._flag is None

    def _require_finite_gradient(self, state: RunState, stepper: Stepper, loss: Tensor, norm: Tensor | None) -> None:
        """Refuse a gradient that is not finite; without waiting, flag it on the device."""
        if self._flag is not None:
            self._flag.note(state.step, loss, largest(stepper.gradients()))
        elif not ((norm is not None and math.isfinite(norm.item())) or all_finite(stepper.gradients())):
            names = culprits(state.model, stepper.parameters)
            self._refuse(state, f"the gradient of {names} is not finite")

    def _require_finite(self, state: RunState, loss: Tensor) -> None:
        value = loss.item()
        if not math.isfinite(value):
            self._refuse(state, f"the training loss is {value}")

    def _refuse(self, state: RunState, what: str) -> None:
        raise NotFinite(what, state.step, self._loader.sample_numbers(state.step + state.passed))

    def _tools(self, state: RunState) -> tuple[Stepper, Buffers]:
        """Tools for this optimizer and this model, made once for each."""
        if self._stepper is None or self._stepper.optimizer is not state.optimizer:
            self._stepper = Stepper.of(state.optimizer)
        if self._buffers is None or self._buffers.model is not state.model:
            self._buffers = Buffers(state.model)
        return self._stepper, self._buffers


def _parted(loader: Loader | ItemLoader, backward: Backward, world: World) -> Parted:
    from lrsched.train.gradient.parted import Parted  # where an update has parts

    return Parted(loader, backward, world)
