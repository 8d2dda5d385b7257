"""Pictures to look at: uint8 [H, W, 3]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

MOST = 16
"""Pictures that are shown at a time."""


def is_picture(shape: torch.Size) -> bool:
    """Whether a batch of this shape, [B, C, H, W] with one or three channels, can be looked at."""
    return len(shape) == 4 and shape[1] in (1, 3)


def rgb(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Pictures [B, C, H, W] of any numbers as uint8 [B, H, W, 3].

    Args:
        x: with one or three channels.
        low, high: what becomes black and white, [B, 1, 1, 1]; None: the extremes of each picture.
    """
    x = x.detach().double().cpu()
    low = x.amin((1, 2, 3), keepdim=True) if low is None else low.double().cpu()
    high = x.amax((1, 2, 3), keepdim=True) if high is None else high.double().cpu()
    level = (x - low) / torch.where(high > low, high - low, torch.ones_like(high))
    return (level.clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1).movedim(1, -1)


def colours(labels: Tensor) -> Tensor:
    """Labels [B, H, W] as colours, uint8 [B, H, W, 3]: 0 is black, and neighbours differ (the palette of VOC)."""
    labels, found = labels.detach().long().cpu(), []
    for channel in range(3):
        bits = [((labels >> (3 * place + channel)) & 1) << (7 - place) for place in range(3)]
        found.append(torch.stack(bits).sum(0))
    return torch.stack(found, -1).to(torch.uint8)


def tiled(*rows: Tensor) -> Tensor:
    """Rows of pictures, uint8 [n, H, W, 3] each, as one picture with a line of white between them."""
    framed = [pad(row, (0, 0, 0, 1, 0, 1), value=255) for row in rows]
    lines = [torch.cat(list(row), 1) for row in framed]
    return torch.cat(lines)[:-1, :-1].contiguous()
