"""Hugging Face's models from a config or a folder, without a network."""

from __future__ import annotations

import json
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lrsched.assembly.param_groups import layers
from lrsched.errors import ConfigError, DataError
from lrsched.models import HF

transformers = partial(pytest.importorskip, "transformers", reason="no transformers: pip install 'hydra-lrsched[hf]'")
BERT = {
    "model_type": "bert",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "vocab_size": 20,
    "max_position_embeddings": 16,
}
GPT2 = {"model_type": "gpt2", "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16}
VIT = {name: value for name, value in BERT.items() if name[0] in "hni"} | {"model_type": "vit", "patch_size": 4}
IDS = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid sockets."""
    transformers()

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def seeded(**given: Any) -> HF:
    torch.manual_seed(3)
    return HF(**{"auto": "sequence-classification", "config": BERT, "classes": 3, **given})


def saved(folder: Path, auto: str = "AutoModelForSequenceClassification", **more: Any) -> dict[str, Tensor]:
    """A network for 3 classes in a folder, as save_pretrained writes it; its weights."""
    options = {**BERT, "num_labels": 3, **more}
    config = transformers().AutoConfig.for_model(options.pop("model_type"), **options)
    torch.manual_seed(9)
    network = getattr(transformers(), auto).from_config(config)
    network.save_pretrained(folder)
    return network.state_dict()


def test_the_seed_decides_the_weights_which_are_transformers_own() -> None:
    first, second = seeded().state_dict(), seeded().state_dict()
    config = transformers().AutoConfig.for_model(**BERT, num_labels=3)
    torch.manual_seed(3)
    peer = transformers().AutoModelForSequenceClassification.from_config(config).state_dict()
    for name, item in first.items():
        assert torch.equal(item, second[name])
        assert torch.equal(item, peer[name.removeprefix("network.")])


def test_alone_an_input_gives_logits_and_by_names_all_there_is() -> None:
    model = seeded().eval()
    mask, labels = (IDS > 0).long(), torch.tensor([0, 2])
    assert torch.equal(model(IDS), model.network(input_ids=IDS).logits)
    output = model(input_ids=IDS, attention_mask=mask, labels=labels)
    assert torch.equal(output.loss, model.network(input_ids=IDS, attention_mask=mask, labels=labels).loss)
    assert {"input_ids", "attention_mask", "labels"} < model.takes
    assert "kwargs" not in model.takes


def test_the_data_tell_labels_vocabulary_and_image_size() -> None:
    assert seeded(classes=3, outputs=5).network.config.num_labels == 5
    small = {name: value for name, value in BERT.items() if name != "vocab_size"}
    assert seeded(config=small, vocabulary=33).network.config.vocab_size == 33
    assert seeded(vocabulary=33).network.config.vocab_size == 20  # the config goes before
    images = HF((1, 8, 8), 4, auto="image-classification", config=VIT)
    assert images(torch.rand(2, 1, 8, 8)).shape == (2, 4)


def test_weights_come_from_a_folder(tmp_path: Path) -> None:
    weights = saved(tmp_path)
    model = seeded(config=str(tmp_path), pretrained=True)
    assert model.training
    assert all(torch.equal(item, weights[name]) for name, item in model.network.state_dict().items())
    fresh = seeded(config=str(tmp_path))
    assert fresh.network.config.hidden_size == 8
    assert not torch.equal(fresh.network.classifier.weight, weights["classifier.weight"])


def test_a_new_head_is_drawn_by_the_seed_where_it_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    weights = saved(tmp_path)
    with pytest.raises(ConfigError, match=r"in another shape: classifier.bias, classifier.weight.*model.head=new"):
        seeded(config=str(tmp_path), pretrained=True, classes=5)
    twice = [seeded(config=str(tmp_path), pretrained=True, classes=5, head="new").network.state_dict() for _ in "ab"]
    assert "drawn anew: classifier.bias, classifier.weight; not taken: none" in capfd.readouterr().err
    for name, item in twice[0].items():
        assert torch.equal(item, twice[1][name])
        assert name.startswith("classifier.") or torch.equal(item, weights[name])
    assert twice[0]["classifier.weight"].std() > 0


def test_another_models_head_is_left_where_that_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    weights = saved(tmp_path, "AutoModelForMaskedLM")
    with pytest.raises(ConfigError, match=r"it lacks .*classifier.weight.*the model has no cls\.predictions"):
        seeded(config=str(tmp_path), pretrained=True)
    model = seeded(config=str(tmp_path), pretrained=True, head="new")
    name = "bert.encoder.layer.1.output.dense.weight"
    assert torch.equal(model.network.state_dict()[name], weights[name])
    assert "not taken: cls.predictions" in capfd.readouterr().err


def test_tied_weights_are_one_parameter_under_two_names() -> None:
    model = HF(auto="causal-lm", config=GPT2, vocabulary=30)
    held, named = model.state_dict(), dict(model.named_parameters())
    assert held["network.lm_head.weight"].data_ptr() == held["network.transformer.wte.weight"].data_ptr()
    assert "network.lm_head.weight" not in named


def test_without_memory_no_weights_are_read(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with torch.device("meta"):
        model = seeded(config=str(tmp_path), pretrained=True)
    assert all(parameter.is_meta for parameter in model.parameters())


def test_layers_are_embeddings_blocks_and_head() -> None:
    found = layers(seeded())
    assert found["network.bert.embeddings.word_embeddings.weight"] == 0
    assert found["network.bert.embeddings.LayerNorm.bias"] == 0
    assert [found[f"network.bert.encoder.layer.{n}.output.dense.weight"] for n in (0, 1)] == [1, 2]
    assert found["network.bert.pooler.dense.bias"] == 3
    assert found["network.classifier.weight"] == 4
    found = layers(HF(auto="causal-lm", config=GPT2, vocabulary=30))
    assert found["network.transformer.wte.weight"] == found["network.transformer.wpe.weight"] == 0
    assert found["network.transformer.h.1.attn.c_attn.weight"] == found["network.transformer.ln_f.bias"] == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"input_ids": IDS + 15},
            r"input_ids holds the token 23, and the model knows 0 to 19; give model.config a vocab",
        ),
        ({"input_ids": IDS - 1}, r"holds the token -1, "),
        ({"input_ids": torch.ones(2, 17).long()}, "holds sequences of 17 tokens, and the model takes 16"),
        ({"input_ids": IDS, "labels": torch.tensor([0, 3])}, "labels holds 0 to 3: Target 3 is out of bounds"),
    ],
    ids=["a token too large", "a token below 0", "too long", "a label too large"],
)
def test_columns_that_the_model_cannot_take_are_named(given: dict[str, Tensor], words: str) -> None:
    with pytest.raises(DataError, match=words):
        seeded()(**given)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no config": ({"config": None}, "^config=null: says which network.*FOLDER, or {model_type: bert"),
    "a name on the hub": (
        {"config": "bert-base-uncased"},
        "is no folder with a config.json, and nothing is downloaded",
    ),
    "a kind mistyped": ({"auto": "sequence-clasification"}, "^auto=sequence-clas.*did you mean 'sequence-class"),
    "no type": ({"config": {"hidden_size": 8}}, "^config.model_type: must name a type of transformers; as bert"),
    "a type mistyped": ({"config": {"model_type": "bret"}}, "^config.model_type=bret: .*did you mean 'bert'"),
    "a key mistyped": ({"config": {**BERT, "hiden_size": 8}}, "^config.hiden_size=8: .*did you mean 'hidden_size'"),
    "code": ({"config": {**BERT, "auto_map": {"AutoModel": "m.M"}}}, "^config.auto_map=.*is no key"),
    "a value": ({"config": {**BERT, "hidden_size": "8"}}, "transformers refuses it: .*'hidden_size' expected int"),
    "sizes": ({"config": {**BERT, "hidden_size": 9}}, "a bert for sequence-classification cannot be built: The hidden"),
    "a kind that the type has not": (
        {"auto": "causal-lm", "config": VIT},
        "^auto=causal-lm: .*no such model of type vit; known are: image-class",
    ),
    "other labels": ({"config": {**BERT, "num_labels": 2}}, "^config.num_labels=2: the task and the data want 3"),
    "labels untold": ({"classes": None}, "^auto=sequence-classification: needs the number of labels"),
    "weights of a mapping": ({"pretrained": True}, "^pretrained=true: needs a folder with weights"),
    "a config without weights": ({"config": "empty", "pretrained": True}, "^config=empty: holds no weights as safe"),
    "a damaged config": ({"config": "damaged"}, "^config=damaged: transformers cannot read its config.json"),
    "a type with code of its own": ({"config": "foreign"}, "^config=foreign: .*code that lies beside it is never run"),
    "damaged weights": ({"config": "torn", "pretrained": True}, "^config: a bert for sequence-class.* cannot be built"),
    "another network's": ({"config": "other", "pretrained": True}, "^config=other: none of its weights fit: it lacks"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_refused(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "empty": json.dumps(BERT),
        "damaged": "{",
        "foreign": '{"model_type": "mine", "auto_map": {"AutoConfig": "code.C"}}',
        "torn": json.dumps(BERT),
        "other": json.dumps(BERT),
    }.items():
        Path(name).mkdir()
        (Path(name) / "config.json").write_text(text, "utf-8")
    Path("torn/model.safetensors").write_bytes(b"torn")
    pytest.importorskip("safetensors.torch").save_file(
        {"weight": torch.zeros(2)}, "other/model.safetensors", {"format": "pt"}
    )
    given, words = WRONG[what]
    with pytest.raises(ConfigError, match=words):
        seeded(**given)


def test_without_transformers_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'hydra-lrsched\[hf\]'"):
        seeded()
