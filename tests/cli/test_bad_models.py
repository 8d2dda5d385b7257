"""What can be wrong with a model of others, through the command line: one message, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

SIZES = "hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8"
BERT = f"{{model_type: bert, {SIZES}, vocab_size: 30}}"


class Texts(Dataset[dict[str, Any]]):
    """Texts of 3 to 9 tokens, of two kinds.

    Args:
        target: the name of their kinds, or nothing.
        token: to add to each, so that some may be unknown.
        wrong: a label of all samples, or nothing.
    """

    classes = 2

    def __init__(self, target: str = "labels", token: int = 0, wrong: int | None = None) -> None:
        self.target, self.token, self.wrong = target, token, wrong

    def __len__(self) -> int:
        return 40

    def __getitem__(self, number: int) -> dict[str, Any]:
        ids: Tensor = torch.arange(3 + number % 7) + 10 * (number % 2) + self.token
        kind = number % 2 if self.wrong is None else self.wrong
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            **({self.target: kind} if self.target else {}),
        }


HERE = __name__
DATA = ("dataset=torch", "dataset.workers=0", "dataset.collate=pad", "dataset.batch_size=8")
RUN = ("trainer.epochs=1", "trainer.progress=false", "name=bad")
HF = ("task=hf", "model=hf", f"model.config={BERT}")
TIMM = ("dataset=digits", "model=timm")

WRONG: dict[str, tuple[tuple[str, ...], str, list[str]]] = {
    "a network mistyped": (("model.name=resnet_19",), "timm", ["model.name=resnet_19", "did you mean 'resnet18'"]),
    "a network on the hub": (("model.name=hf-hub:timm/resnet18",), "timm", ["is no model of timm"]),
    "digits too small": (("model.name=levit_128s",), "timm", ["images of 8x8 pixels", "model=cnn"]),
    "an option": (("model.options={drop: 1}",), "timm", ["model.options={'drop': 1}", "keyword argument 'drop'"]),
    "a head mistyped": (("model.head=fresh",), "timm", ["model.head=fresh", "one of keep, new"]),
    "no such weights": (("model.pretrained=no.pt",), "timm", ["model.pretrained=no.pt", "nothing is downloaded"]),
    "a folder on the hub": (("model.config=bert-base-uncased",), "", ["nothing is downloaded", "hf download NAME"]),
    "a purpose mistyped": (("model.auto=causal-llm",), "", ["model.auto=causal-llm", "did you mean 'causal-lm'"]),
    "a purpose for other labels": (("model.auto=token-classification",), "", ["Expected input batch_size"]),
    "a key mistyped": (
        ("model.config={model_type: bert, hiden_size: 8}",),
        "",
        ["model.config.hiden_size=8", "did you"],
    ),
    "weights of no folder": (("model.pretrained=true",), "", ["model.pretrained=true", "give model.config=FOLDER"]),
    "another number of labels": ((f"model.config={{model_type: bert, {SIZES}, num_labels: 9}}",), "", ["data want 2"]),
    "texts too long": (
        (f"model.config={{model_type: bert, {SIZES}, max_position_embeddings: 2}}",),
        "",
        ["tokens, and the model takes 2", "length"],
    ),
    "an unknown token": (("dataset.train.token=50",), "", ["the token", "knows 0 to 29", "vocab_size"]),
    "a wrong label": (("dataset.train.wrong=2",), "", ["labels holds 2 to 2", "out of bounds"]),
    "no target": (
        ("dataset.train.target=", "+dataset.facts.classes=2"),
        "",
        ["an output with its loss is wanted", "a column labels"],
    ),
    "no padding": (("dataset.collate=null",), "", ["sample", "give dataset.collate"]),
    "what counts": (("task.counts=next_labels",), "", ["task.counts=next_labels", "leave it out"]),
    "a metric that is not": (("checkpoint.monitor=val/perplexity",), "", ["checkpoint.monitor=val/perplexity"]),
    "a model of another kind": (("model=mlp",), "", ["model=hf"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG)
def test_one_message_and_nothing_is_left(run_cli, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    words, package, said = WRONG[what]
    pytest.importorskip(
        package or "transformers", reason="no timm or transformers: pip install 'hydra-lrsched[hf,timm]'"
    )
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    data = f"dataset.train={{_target_: {HERE}.Texts, target: labels, token: 0, wrong: null}}"
    asked = TIMM if package else (*DATA, data, *HF)
    if any(word.startswith(("model=", "model.config=")) for word in words):
        asked = tuple(word for word in asked if not word.startswith("model.config="))
    ended = run_cli(*asked, *words, *RUN)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    for word in said:
        assert word in ended.err
    assert not Path("outputs").exists()
