"""Soft targets: the share of each class in a sample."""

from __future__ import annotations

import torch
from torch import Tensor


def shares(y: Tensor, classes: int) -> Tensor:
    """Targets as shares of classes, float32 [B, classes].

    Args:
        y: labels [B], or shares already.
        classes: how many there are.

    >>> shares(torch.tensor([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if y.is_floating_point():
        return y
    return torch.zeros(len(y), classes, device=y.device).scatter_(1, y.long()[:, None], 1.0)


def mixed(y: Tensor, weight: Tensor | None, partners: Tensor, kept: float) -> tuple[Tensor, Tensor | None]:
    """Targets and weights of samples that are mixed with partners.

    With weights, a sample's loss is λ·w·loss(y) + (1 − λ)·w₂·loss(y₂): of weight λ·w + (1 − λ)·w₂, and the shares
    are weighted means.

    Args:
        y: shares [B, classes].
        weight: what samples weigh, [B], or None.
        partners: int64 [B].
        kept: λ, what a sample keeps of itself.

    >>> y, weight = mixed(torch.eye(2), torch.tensor([3.0, 1.0]), torch.tensor([1, 0]), 0.5)
    >>> y.tolist(), weight.tolist()
    ([[0.75, 0.25], [0.75, 0.25]], [2.0, 2.0])
    """
    if weight is None:
        return y * kept + y[partners] * (1 - kept), None
    own, other = weight * kept, weight[partners] * (1 - kept)
    whole = own + other
    part = torch.where(whole > 0, own / whole, torch.full_like(whole, kept))[:, None]
    return y * part + y[partners] * (1 - part), whole
