"""What whole-numbered targets may be."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Labels:
    """The labels 0 … classes − 1, and ignored ones; or yes and no, 1 and 0, which may be floats too.

    Args:
        classes: how many there are.
        ignored: labels that count nowhere.
        yes_or_no: targets are 0 or 1, of any type.

    >>> import torch
    >>> Labels(3, (-100,)).wrong(torch.tensor([2, 3, -100, -1])).tolist()
    [False, True, False, True]
    """

    classes: int
    ignored: tuple[int, ...] = ()
    yes_or_no: bool = False

    @property
    def rule(self) -> str:
        """The rule in words."""
        return "a target is 0 (no) or 1 (yes)" if self.yes_or_no else f"a label lies in 0 … {self.classes - 1}"

    def looks_at(self, y: Tensor) -> bool:
        """Whether targets of this type are labels."""
        return self.yes_or_no or not y.is_floating_point()

    def wrong(self, y: Tensor) -> Tensor:
        """Which of them are none of these."""
        if self.yes_or_no:
            return (y != 0) & (y != 1)
        wrong = (y < 0) | (y >= self.classes)
        for label in self.ignored:
            wrong &= y != label
        return wrong
