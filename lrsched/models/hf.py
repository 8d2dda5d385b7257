"""Hugging Face's models, built from a config or loaded from a folder."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from lrsched.errors import DataError
from lrsched.models import checks
from lrsched.models.hf_build import AUTO, LABELLED, network


class HF(nn.Module):
    """Any of Hugging Face's models for some common purposes. Nothing is ever downloaded, and no code is loaded.

    Called with an input alone it gives logits, as every model here: ``model(input_ids)``. Called by names it gives what
    transformers gives, with the loss where there are labels: ``model(input_ids=…, attention_mask=…, labels=…)``.

    Args:
        input_shape: (C, H, W) of an image: tells an image model its ``image_size`` and ``num_channels``.
        classes: of the data, unless ``outputs`` is given.
        outputs: how many numbers a classifier gives, as the task asks.
        vocabulary: of the data: tells the model its ``vocab_size``.
        auto: what the model is for, one of :data:`lrsched.models.hf_build.AUTO`.
        config: a folder that ``save_pretrained`` wrote, or a mapping ``{model_type: bert, hidden_size: 32, …}``, which
            goes before what the data tell.
        pretrained: take the weights in that folder (safetensors), not new ones drawn at random.
        head: ``keep``: all weights must come from the folder; ``new``: those that it lacks, or has in another shape,
            are drawn at random, and named.

    Raises:
        ConfigError: an unknown kind, type or key, a folder that cannot be read, weights that do not fit, or
            transformers is not installed.

    References:
        https://huggingface.co/docs/transformers
    """

    begins: ClassVar[tuple[str, ...]] = ("pretrained", "head")
    """Arguments that say which weights it begins with: a run that goes on has its own, and needs the file no more."""

    def __init__(
        self,
        input_shape: tuple[int, ...] | None = None,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        vocabulary: int | None = None,
        auto: str = "sequence-classification",
        config: str | Mapping[str, Any] | None = None,
        pretrained: bool = False,
        head: Literal["keep", "new"] = "keep",
    ) -> None:
        super().__init__()
        checks.one_of("auto", auto, AUTO)
        labels = outputs if outputs is not None else classes
        told = {"num_labels": labels if auto in LABELLED else None, "vocab_size": vocabulary}
        if input_shape is not None and len(input_shape) == 3:
            channels, height, width = input_shape
            told |= {"num_channels": channels, "image_size": height if height == width else [height, width]}
        known = {name: value for name, value in told.items() if value is not None}
        self.network = network(auto, config, known, pretrained=pretrained, new_head=head == "new")

    def forward(self, x: Tensor | None = None, **columns: Tensor) -> Any:
        """An input, int64 [B, T] or float32 [B, C, H, W], to logits; or columns by name to transformers' own output.

        Raises:
            DataError: a token or a label that the model does not know, or a sequence that is too long.
        """
        given = columns if x is None else {self.main_input_name: x, **columns}
        whole = {
            name: item
            if item.is_floating_point() or item.dtype == torch.bool or item.dtype == torch.uint8
            else item.long()
            for name, item in given.items()
        }
        try:
            output = self.network(**whole)
        except (IndexError, RuntimeError) as error:
            self._explain(whole, error)
            raise
        return output.logits if x is not None and not columns else output

    @property
    def main_input_name(self) -> str:
        """What the network calls its input."""
        return str(self.network.main_input_name)

    @cached_property
    def takes(self) -> frozenset[str]:
        """The names of what the network's forward can be given."""
        found = inspect.signature(self.network.forward).parameters.values()
        return frozenset(one.name for one in found if one.kind is not one.VAR_KEYWORD)

    def layer_numbers(self) -> dict[str, int]:
        """The layer of each parameter by name, 0 at the input: embeddings, each block of a stack, the head."""
        found: dict[str, int] = {}
        number, words = -1, False
        for prefix, piece in _pieces("network", self.network):
            more = words and isinstance(piece, nn.Embedding)  # of tokens and of positions
            words = isinstance(piece, nn.Embedding)
            held = [(name, item) for name, item in piece.named_parameters(prefix)]
            if number < 0 or (not more and any(item.ndim >= 2 for _, item in held)):
                number += bool(held)
            for name, _ in held:
                found.setdefault(name, number)
        return {name: found.get(name, 0) for name, _ in self.named_parameters()}

    def _explain(self, given: Mapping[str, Tensor], error: Exception) -> None:
        """Raise what is wrong with the columns, where that is known."""
        told = self.network.config
        ids, labels = given.get("input_ids"), given.get("labels")
        words, most = getattr(told, "vocab_size", None), getattr(told, "max_position_embeddings", None)
        if ids is not None and words is not None and not 0 <= int(ids.min()) <= int(ids.max()) < words:
            wrong = int(ids.max()) if int(ids.max()) >= words else int(ids.min())
            rule = f"input_ids holds the token {wrong}, and the model knows 0 to {words - 1}"
            raise DataError(f"{rule}; give model.config a vocab_size, or is it another tokenizer's?") from error
        if ids is not None and most is not None and ids.shape[-1] > most:
            rule = f"input_ids holds sequences of {ids.shape[-1]} tokens, and the model takes {most}"
            raise DataError(f"{rule}; cut them (lrsched.data.Pad, length), or give it more positions") from error
        if labels is not None and isinstance(error, IndexError):
            wrong = labels[labels != -100]
            raise DataError(f"labels holds {int(wrong.min())} to {int(wrong.max())}: {error}") from error


def _pieces(prefix: str, module: nn.Module) -> Generator[tuple[str, nn.Module]]:
    """The parts of a network in its order: modules that hold no stack, and the blocks of each stack."""
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f"{prefix}.{name}.{number}", block) for number, block in child.named_children())
        elif any(isinstance(inner, nn.ModuleList) for inner in child.modules()):
            yield from _pieces(f"{prefix}.{name}", child)
        else:
            yield f"{prefix}.{name}", child
