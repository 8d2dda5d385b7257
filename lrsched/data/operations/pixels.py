"""The types of pixels: uint8 from 0 to 255, or floats."""

from __future__ import annotations

import torch
from torch import Tensor


def top(x: Tensor) -> int:
    """White: 255 of uint8, 1 of floats."""
    return 255 if x.dtype == torch.uint8 else 1


FLOATS = "takes floats from 0 (black) to 1 (white)"
REMEDY = "give images as uint8, or divided by 255"


def beyond(x: Tensor) -> str:
    """Where floats go that do not stay between black and white, in words; empty where they do, and for uint8.

    >>> beyond(torch.tensor([0.0, 1.5])), beyond(torch.tensor([0.0, 1.0]))
    ('from 0 to 1.5', '')
    """
    if not x.is_floating_point():
        return ""
    low, high = (each.item() for each in x.aminmax())
    return f"from {low:g} to {high:g}" if low < 0 or high > 1 else ""


def like(found: Tensor, x: Tensor) -> Tensor:
    """Floats in the type of ``x``: for uint8 the nearest, where they lie in its range.

    >>> like(torch.tensor([0.4, 254.6]), torch.empty(0, dtype=torch.uint8)).tolist()
    [0, 255]
    """
    return found.to(x.dtype) if x.is_floating_point() else found.round_().to(x.dtype)


def filled(x: Tensor, where: Tensor, fill: Tensor | int) -> Tensor:
    """The images with ``fill`` where a place is marked.

    Args:
        x: [B, C, H, W].
        where: bool [B, 1, H, W].
        fill: a number, or one a channel or a place, [1, C, 1, 1] or [1, C, H, W].
    """
    if isinstance(fill, Tensor):
        return torch.where(where, like(fill.clone(), x), x)
    return x.masked_fill(where, fill)


def boxes(x: Tensor, tops: Tensor, heights: Tensor | int, lefts: Tensor, widths: Tensor | int) -> Tensor:
    """Mark a box in each image, as far as it lies within: bool [B, 1, H, W].

    Args:
        x: images [B, C, H, W].
        tops, lefts: of the boxes, [B].
        heights, widths: in pixels, [B] or one for all.
    """
    inside: list[Tensor] = []
    for size, first, length in ((x.shape[2], tops, heights), (x.shape[3], lefts, widths)):
        places = torch.arange(size, device=x.device)
        begun = places >= first[:, None]
        inside.append(begun & (places < (first + length)[:, None]))
    rows, columns = inside
    return (rows[:, :, None] & columns[:, None, :])[:, None]
