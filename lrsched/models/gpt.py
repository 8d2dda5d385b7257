"""A small decoder of tokens."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from lrsched.errors import ConfigError
from lrsched.models import checks

POSITIONS = ("learned", "sinusoidal", "rotary")


class GPT(nn.Module):
    """A pre-norm transformer decoder: logits of the next token at every place, from the tokens up to there.

    ::

        h = dropout(token + position)
        h ← h + dropout(attention(norm(h)))        causal, softmax(q kᵀ / √d) v for each head
        h ← h + dropout(W₂ gelu(W₁ norm(h)))       W₁ four times as wide
        logits = norm(h) · tokenᵀ                  tied: by the table of the tokens

    Layers have no biases, and norms a scale alone. Initial weights are normal with standard deviation ``std``, and
    ``std``/√(2·layers) where a branch is added to h, so that its variance does not grow with the depth.

    Weight decay spares what has one dimension: here the scales of the norms. The tables of tokens and positions decay
    like matrices, as in GPT-2's open reproductions; where they shall not, give them a group of their own,
    ``optimizer.groups={tables: {params: embedding.*, weight_decay: 0}}``. With ``optimizer.layer_decay`` the tables are
    layer 0, the blocks 1 to ``layers``, and an untied head the layer above them.

    Args:
        vocabulary: number of tokens.
        context: largest number of tokens that it is given.
        layers: number of blocks.
        heads: of attention; they share ``width``.
        width: of h, a multiple of ``heads``.
        dropout: probability to drop: of h at the input, of the attention's weights, of each branch.
        tie: logits are products with the table of the tokens, instead of with a matrix of their own.
        positions: learned; sinusoidal: fixed sines and cosines of the wavelengths 2π to 10,000·2π, of the learned
            ones' initial size; or rotary: queries and keys are turned by angles of these wavelengths instead.
        std: of the initial weights; 0.02 in GPT-2, whose width is 768 and more. Small models learn faster from about
            0.7/√width.

    Raises:
        ConfigError: a number below 1, a width that the heads do not divide, a dropout outside [0, 1), a ``std`` that is
            not above 0, or an odd number of values in a head with rotary positions.

    References:
        Vaswani et al., Attention is all you need, 2017, https://arxiv.org/abs/1706.03762
        Radford et al., Language models are unsupervised multitask learners, 2019 (GPT-2)
        Press, Wolf, Using the output embedding to improve language models, 2017, https://arxiv.org/abs/1608.05859
        Su et al., RoFormer: enhanced transformer with rotary position embedding, 2021, https://arxiv.org/abs/2104.09864

    >>> sum(p.numel() for p in GPT(256, 128, layers=2, width=64).parameters())  # 24,576 + 2·(12·64² + 2·64) + 64
    123200
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        *,
        layers: int = 4,
        heads: int = 4,
        width: int = 128,
        dropout: float = 0.0,
        tie: bool = True,
        positions: Literal["learned", "sinusoidal", "rotary"] = "learned",
        std: float = 0.02,
    ) -> None:
        super().__init__()
        checks.count("vocabulary", vocabulary)
        if checks.count("width", width) % checks.count("heads", heads):
            raise ConfigError("heads", heads, f"must divide the width {width}, which the heads share")
        dropout = checks.probability("dropout", dropout)
        if not 0 < std < math.inf:
            raise ConfigError("std", std, "must be a finite number above 0")
        if checks.one_of("positions", positions, POSITIONS) == "rotary" and width // heads % 2:
            rule = f"gives each head {width // heads} numbers, and rotary positions turn pairs of them"
            raise ConfigError("heads", heads, rule)
        self.embedding = _Embedding(vocabulary, checks.count("context", context), width, dropout, positions)
        if positions == "sinusoidal":
            self.embedding.waves = math.sqrt(2) * std * _waves(context, width)
        turns = _angles(context, width // heads) if positions == "rotary" else None
        blocks = [_Block(width, heads, dropout, turns) for _ in range(checks.count("layers", layers))]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = None if tie else nn.Linear(width, vocabulary, bias=False)
        self._initialise(std)

    def forward(self, tokens: Tensor) -> Tensor:
        """Whole numbers [B, T] of any type, T up to ``context``, to logits [B, T, vocabulary]."""
        h = self.embedding(tokens)
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        return linear(h, self.embedding.token.weight) if self.head is None else self.head(h)

    def before_norm(self) -> set[str]:
        """The weights whose common scale does not matter: all that is added to h, which is read through norms alone.

        None where the table of the tokens is also the head's, or where the positions are fixed waves.
        """
        if self.head is None or self.embedding.waves is not None:
            return set()
        added = {f"embedding.{name}" for name, _ in self.embedding.named_parameters()}
        return added | {f"blocks.{i}.{name}.weight" for i in range(len(self.blocks)) for name in ("project", "down")}

    def _initialise(self, std: float) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=std)
        for block in self.blocks:
            for name in ("project", "down"):
                nn.init.normal_(getattr(block, name).weight, std=std / math.sqrt(2 * len(self.blocks)))


class _Embedding(nn.Module):
    """Tokens [B, T] to [B, T, width], with their positions."""

    waves: Tensor | None

    def __init__(self, vocabulary: int, context: int, width: int, dropout: float, positions: str) -> None:
        super().__init__()
        self.context = context
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width) if positions == "learned" else None
        self.register_buffer("waves", None, persistent=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length > self.context:
            raise ValueError(f"{length} tokens, and the model was made for at most {self.context}")
        table = self.waves if self.position is None else self.position.weight
        h = self.token(tokens.long())
        return self.drop(h if table is None else h + table[:length])


class _Block(nn.Module):
    """One layer, [B, T, width] to the same."""

    turn: Tensor | None

    def __init__(self, width: int, heads: int, dropout: float, angles: Tensor | None) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.register_buffer(
            "turn", None if angles is None else torch.stack([angles.cos(), angles.sin()]), persistent=False
        )
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.project = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.gelu = nn.GELU()
        self.down = nn.Linear(4 * width, width, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.drop(self.project(self._attention(self.norm1(h))))
        return h + self.drop(self.down(self.gelu(self.up(self.norm2(h)))))

    def _attention(self, h: Tensor) -> Tensor:
        batch, length, width = h.shape
        q, k, v = self.attend(h).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.turn is not None:
            q, k = _turned(q, self.turn[:, :length]), _turned(k, self.turn[:, :length])
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, width)


def _angles(context: int, width: int) -> Tensor:
    """place · 10,000^(−2i/width), float32 [context, ⌈width/2⌉]."""
    rates = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return (torch.arange(context, dtype=torch.float64)[:, None] * rates).float()


def _waves(context: int, width: int) -> Tensor:
    """Sine and cosine of each angle in turn, [context, width]."""
    angles = _angles(context, width)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    """Pairs of numbers of x [B, heads, T, d], each turned by its place's angle; ``turn`` holds cos and sin."""
    a, b = x.chunk(2, -1)
    cos, sin = turn.to(x.dtype)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
