"""A language model of Hugging Face with tied weights: resumed, evaluated, exported, started from, previewed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

import lrsched

GPT2 = "{model_type: gpt2, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, vocab_size: 20}"
HERE = __name__
MODEL = ("model=hf", "model.auto=causal-lm", f"model.config={GPT2}")
WORDS = (
    *("dataset=torch", f"dataset.train={{_target_: {HERE}.Rows}}", "dataset.collate=pad", "dataset.batch_size=8"),
    *("task=hf", *MODEL, "optimizer=adamw", "trainer.accumulate=2", "trainer.epochs=3", "trainer.log_every=1st"),
    *("checkpoint.monitor=val/perplexity", "trainer.progress=false", "threads=1"),
)


class Rows(Dataset[dict[str, Tensor]]):
    """Rows of tokens of 3 to 9 that count upwards from anywhere."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        ids = (torch.randint(20, ()) + torch.arange(3 + number % 7)) % 20
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="no transformers: pip install 'hydra-lrsched[hf]'")
    monkeypatch.setenv("LRSCHED_TRUST", HERE)


@pytest.mark.slow
def test_tied_weights_with_dropout_go_on_with_the_same_bits(run_cli: Any) -> None:
    assert run_cli(*WORDS, "name=whole", "dataset.workers=0").code == 0
    assert run_cli(*WORDS, "name=cut", "dataset.workers=2", "sweep.until=5").code == 0  # in the middle of an epoch
    allowed = "checkpoint.allow_change=[dataset.workers]"
    ended = run_cli("resume=outputs/cut", "sweep.until=null", "dataset.workers=1", allowed)
    assert ended.code == 0, ended.err
    assert ended.rows("cut") == ended.rows("whole")
    assert ended.result("cut")["weights_sha256"] == ended.result("whole")["weights_sha256"]
    run = lrsched.load("outputs/whole")
    assert run.evaluate()["test/perplexity"] == run.result["metrics"]["test/perplexity"]
    model: Any = run.model()
    assert model.network.lm_head.weight is model.network.transformer.wte.weight
    ids = torch.tensor([[1, 2, 3], [7, 8, 9]])
    assert torch.equal(run.predict({"input_ids": ids, "attention_mask": torch.ones_like(ids)}), model(ids).detach())

    weights = pytest.importorskip("safetensors.torch").load_file(run.export("gpt2.safetensors"))
    names = ("network.lm_head.weight", "network.transformer.wte.weight")
    assert torch.equal(*(weights[name] for name in names))
    assert run_cli(*WORDS, "name=next", "init_from=gpt2.safetensors", "optimizer.lr=0", "dataset.workers=0").code == 0
    assert lrsched.load("outputs/next").result["weights_sha256"] == run.result["weights_sha256"]


@pytest.mark.slow
def test_its_groups_are_previewed(run_cli: Any) -> None:
    group = "+optimizer.groups={words: {params: '.*wte.*', lr_scale: 0.1}}"
    ended = run_cli(
        *MODEL, "optimizer=adamw", "optimizer.layer_decay=0.5", group, "trainer.steps=10", command="preview"
    )
    assert ended.code == 0, ended.err
    for name in ("lr/words ", "lr/layer0 ", "lr/layer1/no_decay ", "lr/layer2/no_decay "):
        assert name in ended.out
