"""GPT: its formula, causality, initial weights, parameter groups, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm

from lrsched.assembly.param_groups import layers, parameter_groups
from lrsched.errors import ConfigError
from lrsched.models import GPT

POSITIONS = ["learned", "sinusoidal", "rotary"]
LAYERS, HEADS, WIDTH, CONTEXT, TOKENS = 2, 2, 8, 6, 11


def gpt(**more: Any) -> GPT:
    torch.manual_seed(0)
    sizes = {"layers": LAYERS, "heads": HEADS, "width": WIDTH, "std": 0.3}
    return GPT(TOKENS, CONTEXT, **{**sizes, **more})


def tokens(batch: int = 3, length: int = CONTEXT) -> Tensor:
    return torch.randint(TOKENS, (batch, length), generator=torch.Generator().manual_seed(1))


def turned(x: Tensor) -> Tensor:
    """[…, T, d]: numbers i and i + d/2 are a complex number, turned by place·10,000^(−2i/d)."""
    length, d = x.shape[-2:]
    angle = torch.arange(length)[:, None] * 10_000.0 ** (-torch.arange(0, d, 2) / d)
    z = torch.complex(x[..., : d // 2], x[..., d // 2 :]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([z.real, z.imag], -1)


def by_hand(w: dict[str, Tensor], x: Tensor, positions: str) -> Tensor:
    """The formula of the class in float64, head by head."""
    length = x.shape[1]
    d = WIDTH // HEADS
    h = w["embedding.token.weight"][x]
    if positions == "learned":
        h = h + w["embedding.position.weight"][:length]
    if positions == "sinusoidal":
        angle = torch.arange(length)[:, None] * 10_000.0 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
        waves = torch.stack([angle.sin(), angle.cos()], 2).reshape(length, WIDTH)
        h = h + math.sqrt(2) * 0.3 * waves
    future = torch.ones(length, length).triu(1).bool()
    for n in range(LAYERS):
        p = f"blocks.{n}."
        q, k, v = (layer_norm(h, (WIDTH,), w[p + "norm1.weight"]) @ w[p + "attend.weight"].T).split(WIDTH, 2)
        heads = []
        for i in range(HEADS):
            mine = slice(i * d, (i + 1) * d)
            a, b = q[..., mine], k[..., mine]
            if positions == "rotary":
                a, b = turned(a), turned(b)
            scores = (a @ b.transpose(1, 2) / math.sqrt(d)).masked_fill(future, -math.inf)
            heads.append(scores.softmax(2) @ v[..., mine])
        h = h + torch.cat(heads, 2) @ w[p + "project.weight"].T
        inner = gelu(layer_norm(h, (WIDTH,), w[p + "norm2.weight"]) @ w[p + "up.weight"].T)
        h = h + inner @ w[p + "down.weight"].T
    head = w.get("head.weight", w["embedding.token.weight"])
    return layer_norm(h, (WIDTH,), w["norm.weight"]) @ head.T


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("positions", POSITIONS)
def test_it_is_its_formula(positions: str, tie: bool) -> None:
    model = gpt(positions=positions, tie=tie).double()
    for norm in (m for m in model.modules() if isinstance(m, nn.LayerNorm)):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
    weights = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    for length in (1, CONTEXT):
        x = tokens(length=length)
        logits = model(x)
        assert logits.shape == (3, length, TOKENS)
        torch.testing.assert_close(logits, by_hand(weights, x, positions), rtol=1e-6, atol=1e-6)  # float32 angles


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_later_token_changes_no_earlier_logit(positions: str) -> None:
    model = gpt(positions=positions)
    x = tokens()
    before = model(x)
    for place in range(CONTEXT):
        changed = x.clone()
        changed[:, place] = (changed[:, place] + 1) % TOKENS
        after = model(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert (after[:, place:] != before[:, place:]).any(2).all()


def test_tokens_may_be_of_any_whole_type() -> None:
    model = gpt()
    assert torch.equal(model(tokens().to(torch.uint8)), model(tokens()))


def test_its_size() -> None:
    def weights(**more: Any) -> int:
        return sum(p.numel() for p in gpt(**more).parameters())

    blocks = LAYERS * (12 * WIDTH**2 + 2 * WIDTH) + WIDTH
    assert weights(positions="rotary") == weights(positions="sinusoidal") == blocks + TOKENS * WIDTH
    assert weights() == blocks + (TOKENS + CONTEXT) * WIDTH
    assert weights(tie=False) == blocks + (2 * TOKENS + CONTEXT) * WIDTH


def test_initial_weights_shrink_with_the_depth_where_a_branch_ends() -> None:
    torch.manual_seed(0)
    model = GPT(500, 100, layers=8, width=64, std=0.05)
    for name, weight in model.state_dict().items():
        if weight.ndim < 2:
            assert torch.equal(weight, torch.ones_like(weight))
            continue
        std = 0.05 / math.sqrt(16) if name.endswith(("project.weight", "down.weight")) else 0.05
        assert float(weight.std()) == pytest.approx(std, rel=5 / math.sqrt(2 * weight.numel()))  # 5 standard errors
        assert abs(float(weight.mean())) < 5 * std / math.sqrt(weight.numel())


def test_the_first_loss_is_that_of_knowing_nothing() -> None:
    torch.manual_seed(0)
    model = GPT(256, 32, layers=2, width=64)
    x = torch.randint(256, (8, 32))
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), torch.randint(256, (8 * 32,)))
    assert float(loss.detach()) == pytest.approx(math.log(256), abs=0.1)


def test_weight_decay_spares_the_scales_of_the_norms() -> None:
    model = gpt()
    names = {id(p): name for name, p in model.named_parameters()}
    decayed, spared = ([names[id(p)] for p in group["params"]] for group in parameter_groups(model, spare=True))
    norms = [f"blocks.{n}.norm{i}.weight" for n in range(LAYERS) for i in (1, 2)]
    assert spared == [*norms, "norm.weight"]
    matrices = [f"blocks.{n}.{part}.weight" for n in range(LAYERS) for part in ("attend", "project", "up", "down")]
    assert decayed == ["embedding.token.weight", "embedding.position.weight", *matrices]


def test_layers_are_tables_blocks_and_head() -> None:
    level = layers(gpt(tie=False))
    assert {level[name] for name in level if name.startswith("embedding.")} == {0}
    assert {level[name] for name in level if name.startswith("blocks.1.")} == {2}
    assert level["norm.weight"] == 2
    assert level["head.weight"] == 3


def test_a_tied_table_is_one_through_save_and_load() -> None:
    model, other = gpt(), gpt()
    assert not [name for name in model.state_dict() if name.startswith("head")]
    nn.init.normal_(other.embedding.token.weight)
    model.load_state_dict(other.state_dict())
    assert torch.equal(model(tokens()), other(tokens()))
    x = torch.zeros(1, 1, dtype=torch.int64)  # a token that is not read is scored by the table that would read it
    before = model(x).detach()
    with torch.no_grad():
        model.embedding.token.weight[5] *= 2
    after = model(x).detach()
    assert torch.equal(after[..., 5], 2 * before[..., 5])
    assert torch.equal(after[..., :5], before[..., :5])


def test_dropout_acts_in_training_alone() -> None:
    model, plain = gpt(dropout=0.3), gpt()
    x = tokens()
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), plain(x))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"width": 9}, "heads=2: must divide the width 9, which the heads share"),
    ({"heads": 3}, "heads=3: must divide the width 8, which the heads share"),
    ({"heads": 0}, "heads=0: must be a whole number of at least 1"),
    ({"heads": 8, "positions": "rotary"}, "heads=8: gives each head 1 numbers, and rotary positions turn pairs"),
    ({"layers": 0}, "layers=0: must be a whole number of at least 1"),
    ({"layers": 1.5}, "layers=1.5: must be a whole number of at least 1"),
    ({"width": 0}, "width=0: must be a whole number of at least 1"),
    ({"dropout": 1.0}, "dropout=1.0: must be at least 0 and below 1"),
    ({"std": 0.0}, "std=0.0: must be a finite number above 0"),
    ({"std": math.nan}, "std=nan: must be a finite number above 0"),
    ({"positions": "alibi"}, "positions=alibi: is not one of learned, sinusoidal, rotary"),
    ({"vocabulary": 0}, "vocabulary=0: must be a whole number of at least 1"),
    ({"context": 0}, "context=0: must be a whole number of at least 1"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_used_is_said(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        GPT(**{"vocabulary": TOKENS, "context": CONTEXT, "layers": LAYERS, "heads": 2, "width": WIDTH, **arguments})
    assert str(error.value).startswith(message)


def test_more_tokens_than_the_context_are_refused() -> None:
    with pytest.raises(ValueError, match="7 tokens, and the model was made for at most 6"):
        gpt()(tokens(length=7))
