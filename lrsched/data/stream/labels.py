"""What whole-numbered targets may be."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Labels:
    """The labels 0 … classes − 1, and ignored ones.

    >>> import torch
    >>> Labels(3, (-100,)).wrong(torch.tensor([2, 3, -100, -1])).tolist()
    [False, True, False, True]
    """

    classes: int
    ignored: tuple[int, ...] = ()

    def wrong(self, y: Tensor) -> Tensor:
        """Which of them are none of these."""
        wrong = (y < 0) | (y >= self.classes)
        for label in self.ignored:
            wrong &= y != label
        return wrong
