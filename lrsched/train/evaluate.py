"""Evaluate a classifier: cross-entropy and accuracy over one pass. The one place that computes metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lrsched.data.loader import Batch
from lrsched.errors import NotFinite
from lrsched.train.precision import Precision

METRICS = ("val/loss", "val/accuracy")
"""Metrics of an evaluation during a run: those that can be monitored."""


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable[Batch], precision: Precision, prefix: str) -> dict[str, float]:
    """Mean loss and accuracy, ``{prefix}/loss`` and ``{prefix}/accuracy`` (a fraction).

    Sums in float64 on the device; the host waits once, at the end.

    Raises:
        NotFinite: the loss is not a finite number.
    """
    was_training = model.training
    model.eval()
    loss = correct = None
    samples = 0
    try:
        for x, y in batches:
            with precision():
                logits = model(x)
            here = cross_entropy(logits.float(), y, reduction="sum").double()
            hits = (logits.argmax(1) == y).sum()
            loss = here if loss is None else loss + here
            correct = hits if correct is None else correct + hits
            samples += len(y)
    finally:  # a signal may cut it short
        model.train(was_training)
    assert loss is not None  # a split has at least one sample
    assert correct is not None
    mean = loss.item() / samples
    if not math.isfinite(mean):
        raise NotFinite(f"{prefix}/loss is {mean}")
    return {f"{prefix}/loss": mean, f"{prefix}/accuracy": int(correct.item()) / samples}
