"""Models of others, trained by a run and by a bare loop of PyTorch: the same losses to the last bit."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import lrsched
from lrsched.data import Data, Digits
from lrsched.data.split import split
from lrsched.tasks import HF, Classification
from lrsched.tasks.task import Task

transformers = partial(pytest.importorskip, "transformers", reason="no transformers: pip install 'hydra-lrsched[hf]'")
timm = partial(pytest.importorskip, "timm", reason="no timm: pip install 'hydra-lrsched[timm]'")
UPDATES = 10


def texts() -> Data:
    """Two kinds of texts of 3 to 9 tokens, filled up."""
    draw = torch.Generator().manual_seed(0)
    length, kind = torch.randint(3, 10, (80,), generator=draw), torch.arange(80) % 2
    mask = (torch.arange(9) < length[:, None]).long()
    ids = (1 + 9 * kind[:, None] + torch.randint(0, 9, (80, 9), generator=draw)) * mask
    return Data({"input_ids": ids, "attention_mask": mask, "labels": kind})


def bare(model: nn.Module, data: Data, loss_of: Any) -> list[float]:
    """The losses of ten updates, at a rate that does not change."""
    splits = split(data, validation=0.1, test=0.2, seed=0)
    loader = splits.loader(splits.transform(torch.device("cpu")), batch_size=8, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.0)
    losses = []
    model.train()
    for step in range(UPDATES):
        loss = loss_of(model, loader.batch(step)[0])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def ours(model: nn.Module, data: Data, task: Task) -> list[float]:
    words = ("optimizer=adamw", "optimizer.lr=0.01", "optimizer.weight_decay=0", "scheduler=constant", "name=run")
    rest = (f"trainer.steps={UPDATES}", "trainer.log_every=1st", "dataset.batch_size=8", "trainer.progress=false")
    run = lrsched.run([*words, *rest], model=model, data=data, task=task)
    return [float(loss) for loss in run.rows["train/loss"] if loss == loss]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_hugging_face(kind: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sizes: dict[str, dict[str, Any]] = {
        "bert": {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "num_labels": 2,
        },
        "gpt2": {
            "n_embd": 16,
            "n_layer": 2,
            "n_head": 2,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    }
    config = transformers().AutoConfig.for_model(kind, vocab_size=20, **sizes[kind])
    config.use_cache = False
    auto = {"bert": "AutoModelForSequenceClassification", "gpt2": "AutoModelForCausalLM"}[kind]
    torch.manual_seed(1)
    model = getattr(transformers(), auto).from_config(config)
    data = texts()
    if kind == "gpt2":
        ids, mask = data.train["input_ids"], data.train["attention_mask"]
        data = Data({"input_ids": ids, "attention_mask": mask, "labels": torch.where(mask == 1, ids, -100)})
    given = ours(model, data, HF())

    def loss_of(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return model(**batch).loss

    assert given == bare(model, data, loss_of)
    assert given[-1] < given[0]


@pytest.mark.slow
def test_timm(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    model, data = timm().create_model("test_resnet", num_classes=10, in_chans=1), Digits().load()
    given = ours(model, data, Classification())

    def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return cross_entropy(model(batch[0]), batch[1])

    assert given == bare(model, data, loss_of)
    assert given[-1] < given[0]
