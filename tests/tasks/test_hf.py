"""The loss that a model computes itself: its means, over samples, labels and next labels, by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data import Data
from lrsched.errors import ConfigError, DataError
from lrsched.tasks import HF, Classification
from lrsched.tasks.task import share
from tests.tasks.cases import evaluated

transformers = partial(pytest.importorskip, "transformers", reason="no transformers: pip install 'hydra-lrsched[hf]'")
TINY = {
    "bert": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8},
    "gpt2": {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16, "bos_token_id": 1, "eos_token_id": 2},
}
KINDS = {
    "samples": ("bert", "SequenceClassification"),
    "labels": ("bert", "TokenClassification"),
    "next_labels": ("gpt2", "CausalLM"),
}


@cache
def model(what: str) -> Any:
    """A small network without dropout, in evaluation mode."""
    kind, auto = KINDS[what]
    config = transformers().AutoConfig.for_model(kind, **TINY[kind], vocab_size=20, num_labels=3)
    torch.manual_seed(0)
    return getattr(transformers(), f"AutoModelFor{auto}").from_config(config).eval()


def batch(what: str) -> dict[str, Tensor]:
    """Six texts of 2 to 7 tokens, filled up; the last has no label that counts."""
    draw = torch.Generator().manual_seed(1)
    length = torch.tensor([7, 2, 4, 3, 6, 5])
    mask = (torch.arange(7) < length[:, None]).long()
    ids = torch.randint(3, 20, (6, 7), generator=draw) * mask
    if what == "samples":
        labels = torch.tensor([0, 2, 1, 1, 0, -100])
    else:
        labels = torch.where(mask == 1, ids if what == "next_labels" else ids % 3, -100)
        labels[-1] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def by_hand(what: str, whole: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits and labels of what counts, in rows."""
    logits = model(what)(input_ids=whole["input_ids"], attention_mask=whole["attention_mask"]).logits
    labels = whole["labels"]
    if what == "next_labels":
        logits, labels = logits[:, :-1], labels[:, 1:]
    counts = labels != -100
    return logits[counts], labels[counts]


def pieces(whole: Mapping[str, Tensor], *cuts: int) -> list[dict[str, Tensor]]:
    places = [0, *cuts, 6]
    return [{n: t[a:b] for n, t in whole.items()} for a, b in pairwise(places)]


every = pytest.mark.parametrize("what", KINDS)


@every
def test_the_metrics_are_those_of_what_counts(what: str) -> None:
    whole = batch(what)
    task = HF().of(model(what), whole)
    assert task.counts == ("labels" if what == "samples" else what)
    logits, labels = by_hand(what, whole)
    assert int(task.weight(whole)) == len(labels) == {"samples": 5, "labels": 22, "next_labels": 17}[what]
    loss = cross_entropy(logits, labels).item()
    hits = int((logits.argmax(-1) == labels).sum())
    wanted = {"loss": loss, "accuracy": hits / len(labels)}
    if what == "next_labels":
        wanted["perplexity"] = math.exp(loss)
    assert set(task.better) == set(wanted)
    for cuts in ((), (3,), (1, 2, 5), (5,)):  # in the last piece of the last two nothing counts
        assert evaluated(task, model(what), pieces(whole, *cuts)) == pytest.approx(wanted, rel=1e-5)


@every
def test_a_metric_of_torchmetrics_is_given_what_counts(what: str) -> None:
    whole = batch(what)
    task = HF().of(model(what), whole)
    predictions, labels = task.compared(task.forward(model(what), whole), whole)
    logits, wanted = by_hand(what, whole)
    assert torch.equal(labels, wanted)
    torch.testing.assert_close(predictions, logits.softmax(-1))


@every
def test_unequal_micro_batches_give_the_gradient_of_the_whole(what: str) -> None:
    whole = batch(what)
    task, network = HF().of(model(what), whole), model(what)

    def gradients(cuts: tuple[int, ...]) -> list[Tensor]:
        network.zero_grad()
        parts = pieces(whole, *cuts)
        weights = [task.weight(part) for part in parts]
        for part, weight in zip(parts, weights, strict=True):
            (task.loss(network, part) * share(weight, sum(weights))).backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    one = gradients(())
    logits, labels = by_hand(what, whole)
    network.zero_grad()
    cross_entropy(logits, labels).backward()
    hand = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    for cuts in ((), (3,), (1, 2, 5)):
        for ours, theirs in zip(gradients(cuts), hand, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert max(float(g.abs().max()) for g in one) > 1e-3


@every
def test_where_nothing_counts_the_loss_is_0(what: str) -> None:
    last = pieces(batch(what), 5)[1]
    task, network = HF().of(model(what), batch(what)), model(what)
    network.zero_grad()
    loss = task.loss(network, last)
    loss.backward()
    assert loss.item() == 0
    assert all((p.grad == 0).all() for p in network.parameters() if p.grad is not None)


@every
def test_the_loss_is_that_of_a_bare_call(what: str) -> None:
    whole = batch(what)
    task = HF().of(model(what), whole)
    assert torch.equal(task.loss(model(what), whole), model(what)(**whole).loss)


@pytest.mark.parametrize("name", ["label", "y"])
def test_labels_may_be_called_otherwise(name: str) -> None:
    whole = batch("samples")
    named = {name: whole["labels"], **{key: item for key, item in whole.items() if key != "labels"}}
    task = HF().of(model("samples"), named)
    assert torch.equal(task.loss(model("samples"), named), model("samples")(**whole).loss)
    pair = (whole["input_ids"], whole["labels"])
    assert torch.equal(HF().loss(model("samples"), pair), model("samples")(input_ids=pair[0], labels=pair[1]).loss)


def test_numbers_as_labels_have_a_loss_alone() -> None:
    config = transformers().AutoConfig.for_model("bert", **TINY["bert"], vocab_size=20, num_labels=1)
    network = transformers().AutoModelForSequenceClassification.from_config(config).eval()
    whole = {**batch("samples"), "labels": torch.linspace(0, 1, 6)}
    task = HF().of(network, whole)
    assert set(task.better) == {"loss"}
    assert task.weight(whole) == 6
    said = network(input_ids=whole["input_ids"], attention_mask=whole["attention_mask"]).logits.squeeze(1)
    wanted = (said - whole["labels"]).square().mean().item()
    assert evaluated(task, network, pieces(whole, 2)) == {"loss": pytest.approx(wanted, rel=1e-5)}


class Own(nn.Module):
    """A model of one's own that computes its loss, called by names."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, signal: Tensor, y: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.head(signal)
        return {"logits": logits} if y is None else {"logits": logits, "loss": cross_entropy(logits, y)}


def test_a_model_of_ones_own_is_called_by_its_names() -> None:
    whole = {"signal": torch.rand(6, 4), "y": torch.arange(6) % 3, "unused": torch.zeros(6)}
    own = Own()
    assert torch.equal(HF().of(own, whole).loss(own, whole), cross_entropy(own.head(whole["signal"]), whole["y"]))
    assert torch.equal(Classification().forward(own.head, whole), own.head(whole["signal"]))
    assert list(Classification().forward(own, whole)) == ["logits"]  # a model that is called for its logits gives these
    assert torch.equal(HF().predict(own, {"signal": whole["signal"]}), own.head(whole["signal"]))


def test_what_does_not_fit_is_refused() -> None:
    whole = batch("samples")
    with pytest.raises(ConfigError, match="counts=next_labels: counts the labels of tokens"):
        HF(counts="next_labels").of(model("samples"), whole)
    with pytest.raises(ConfigError, match="counts=labels: counts labels that are whole numbers"):
        HF(counts="labels").of(model("samples"), {**whole, "labels": torch.rand(6)})
    bare = model("samples")(input_ids=whole["input_ids"])
    assert "with its loss is wanted" in HF().complaint(bare, whole)
    assert "column labels" in HF().remedy(bare, whole)
    assert HF().complaint(model("samples")(**whole), whole) == ""
    assert "leave the column weight out" in HF().complaint(
        model("samples")(**whole), {**whole, "weight": torch.ones(6)}
    )


def test_labels_in_memory_are_checked() -> None:
    whole = batch("samples")
    HF(classes=3).check(Data(whole))
    with pytest.raises(DataError, match=r"train labels: sample 1 \(from 0\) has the label 2; labels are 0 to 1"):
        HF(classes=2).check(Data(whole))
    with pytest.raises(DataError, match="weighs all samples alike"):
        HF().check(Data({**whole, "weight": torch.ones(6)}))
