"""Predict the next token."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.batch import Batch, column, columns
from lrsched.data.data import form, is_whole
from lrsched.errors import ConfigError, DataError
from lrsched.tasks._call import logits
from lrsched.tasks._checks import check_range, check_sample_weights, parts
from lrsched.tasks._ensembles import of_classes
from lrsched.tasks._sums import counted, cross_entropy_sum, leave_out, mean, over, spread
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data

BYTES = 256
"""The vocabulary of raw bytes."""

_PROMPT = 16
"""Tokens of a sample that are shown before what the model adds; it sees the whole sample."""

_LARGEST = 700.0
"""exp of more is no float64."""


@dataclass(frozen=True, kw_only=True)
class LanguageModel(Task):
    """The next token at each place: logits [B, T, vocabulary] for tokens [B, T].

    ::

        loss = −mean log softmax(logits)[next token] over the targets that count,   perplexity = exp(loss)

    Data are one column of whole numbers [N, T + 1], of which input and target are all but the last and all but the
    first; or two columns [N, T], input and target. A column named ``weight``, or a third one, weighs the samples.

    Metrics: ``loss`` (nats a token), ``perplexity``, and for a vocabulary of 256 ``bits_per_byte`` = loss/ln 2.

    Args:
        ignore: a target that counts nowhere, such as that of padding, or None.
        prompt: what :meth:`show` goes on from, in bytes (UTF-8) or numbers with blanks; None: the start of a sample.
        generate: tokens that :meth:`show` adds; 0: none.
        temperature: of these: logits are divided by it; above 0.
        vocabulary: how many tokens there are.

    Raises:
        ConfigError: a value out of its range.

    >>> round(LanguageModel(vocabulary=256).metrics({"loss": torch.tensor(4 * math.log(2))}, 2)["bits_per_byte"], 6)
    2.0
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "perplexity": "min", "bits_per_byte": "min"}
    units: ClassVar[Mapping[str, str]] = {"loss": "nats", "bits_per_byte": "bits"}

    ignore: int | None = None
    prompt: str | None = None
    generate: int = 64
    temperature: float = 0.8
    vocabulary: int | None = None

    def __post_init__(self) -> None:
        if self.generate < 0:
            raise ConfigError("generate", self.generate, "must be at least 0")
        if not 0 < self.temperature < math.inf:
            raise ConfigError("temperature", self.temperature, "must be a finite number above 0")
        if self.prompt is not None:
            self._encoded(self.prompt)
        if self.vocabulary != BYTES:
            leave_out(self, "bits_per_byte")

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy of the next tokens that count; 0 where none does."""
        logits, y = self._flat(model, batch)
        if self.ignore is None and sample_weight(batch) is None:
            return cross_entropy(logits, y)
        return over(self._sum(logits, y, batch), self.weight(batch))

    def weight(self, batch: Batch) -> int | Tensor:
        """Targets that count, or the sum of their weights."""
        y = _pair(batch)[1]
        if self.ignore is None and sample_weight(batch) is None:
            return y.numel()
        return counted(
            y.flatten().long(), class_weights=None, ignore=self.ignore, sample=spread(sample_weight(batch), y)
        )

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Sum of the cross-entropies."""
        logits, y = self._flat(model, batch)
        return {"loss": self._sum(logits.float(), y, batch)}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The metrics of the class."""
        loss = mean(sums["loss"], weight)
        found = {"loss": loss, "perplexity": math.exp(min(loss, _LARGEST)), "bits_per_byte": loss / math.log(2)}
        return {name: value for name, value in found.items() if name in self.better}

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """Logits for the input tokens, int64."""
        return logits(model(_pair(batch)[0].long()))

    def predict(self, model: nn.Module, inputs: Batch) -> Any:
        """Logits for tokens [B, T], of which none is a target."""
        return logits(model(column(inputs, 0).long()))

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """One output a token of the vocabulary."""
        if self.vocabulary is None:
            return facts
        return {"outputs": self.vocabulary, **facts, "vocabulary": self.vocabulary}

    def check(self, data: Data) -> None:
        """Require whole numbers in [0, vocabulary), at least two in a row."""
        for part, named in parts(data):
            tokens = [(name, column) for name, column in named.items() if name != "weight"][:2]
            for number, (name, column_) in enumerate(tokens):
                what = f"{part} {name}"
                least = 2 if len(tokens) == 1 else 1
                if not is_whole(column_) or column_.ndim != 2 or column_.shape[1] < least:
                    wanted = "[samples, context + 1]" if len(tokens) == 1 else "[samples, context]"
                    raise DataError(f"{what}: tokens must be whole numbers {wanted}, not {form(column_)}")
                ignore = self.ignore if number or len(tokens) == 1 else None
                if check_range(what, column_, self.vocabulary, ignore, "token")[0] is None:
                    raise DataError(f"{what}: every token is the ignored one, {ignore}; nothing counts")
            if len(tokens) == 2 and tokens[0][1].shape != tokens[1][1].shape:
                raise DataError(
                    f"{part}: input and target must be of one shape: {form(tokens[0][1])} and {form(tokens[1][1])}"
                )
        check_sample_weights(data)

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require logits [B, T, vocabulary]."""
        wanted = [*_pair(batch)[0].shape, self.vocabulary]
        right = isinstance(output, Tensor) and output.is_floating_point() and output.ndim == 3
        if right and list(output.shape[:2]) == wanted[:2] and self.vocabulary in (None, output.shape[2]):
            return ""
        return f"logits are wanted, one tensor of floats of shape [samples, context, vocabulary], here {wanted}"

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say where the logits are, or their number."""
        if not isinstance(output, Tensor):
            return "return the logits alone"
        wrong = output.shape[-1:] != (self.vocabulary,)
        return "take the number of its outputs from the argument outputs" if wrong else ""

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Tensor:
        """The logarithms of the mean of the probabilities, which are logits."""
        return of_classes(outputs, dim=-1)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities [tokens, vocabulary] and tokens int64 [tokens] of all samples in one row, those that count."""
        predictions, y = output.flatten(0, 1).float().softmax(1), _pair(batch)[1].flatten().long()
        if self.ignore is None:
            return predictions, y
        return predictions[y != self.ignore], y[y != self.ignore]

    @torch.inference_mode()
    def show(self, model: nn.Module, batch: Batch) -> dict[str, Any]:
        """Text that the model writes, drawn from a generator of its own."""
        if not self.generate:
            return {}
        x = _pair(batch)[0]
        context = x.shape[1]
        start = x[0].tolist() if self.prompt is None else self._encoded(self.prompt)
        tokens = torch.tensor([start], device=x.device)
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.generate):
            last = logits(model(tokens[:, -context:]))[0, -1].double().cpu()
            drawn = torch.multinomial((last / self.temperature).softmax(0), 1, generator=generator)
            tokens = torch.cat([tokens, drawn[None].to(tokens.device)], 1)
        written = tokens[0, max(0, len(start) - _PROMPT if self.prompt is None else 0) :].tolist()
        if self.vocabulary == BYTES:
            return {"generated": bytes(written).decode("utf-8", "replace")}
        return {"generated": " ".join(map(str, written))}

    def _encoded(self, prompt: str) -> list[int]:
        try:
            tokens = list(prompt.encode()) if self.vocabulary in (None, BYTES) else [int(n) for n in prompt.split()]
        except ValueError:
            tokens = []
        if not tokens or not all(0 <= token < (self.vocabulary or BYTES) for token in tokens):
            rule = f"must be numbers of tokens with blanks between, from 0 to {(self.vocabulary or BYTES) - 1}"
            raise ConfigError("prompt", prompt, "must not be empty" if self.vocabulary in (None, BYTES) else rule)
        return tokens

    def _flat(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.forward(model, batch).flatten(0, 1), _pair(batch)[1].flatten().long()

    def _sum(self, logits: Tensor, y: Tensor, batch: Batch) -> Tensor:
        return cross_entropy_sum(logits, y, ignore=self.ignore, sample=spread(sample_weight(batch), _pair(batch)[1]))


def _pair(batch: Batch) -> tuple[Tensor, Tensor]:
    """Input and target: two columns, or one that is shifted."""
    if len([name for name in columns(batch) if name != "weight"]) == 1:
        tokens = column(batch, 0)
        return tokens[:, :-1], tokens[:, 1:]
    return column(batch, 0), column(batch, 1)
