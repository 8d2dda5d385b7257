"""Precision of a forward pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


class Precision:
    """Context of the forward pass: fp32, or autocast to bf16 or fp16."""

    TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}  # noqa: RUF012

    def __init__(self, name: str, device: torch.device) -> None:
        self.name, self._device = name, device.type
        self._plain = nullcontext()

    def __call__(self) -> AbstractContextManager[None]:
        if self.name == "fp32":
            return self._plain
        return torch.autocast(self._device, dtype=self.TYPES[self.name])  # type: ignore[return-value]

    def scaler(self) -> torch.amp.GradScaler | None:
        """A loss scaler for fp16, else None."""
        return torch.amp.GradScaler(self._device) if self.name == "fp16" else None
