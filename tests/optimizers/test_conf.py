"""Every YAML of conf/optimizer builds its optimizer, survives a checkpoint, and says nothing twice."""

from __future__ import annotations

import inspect
import io
from pathlib import Path

import torch

EXPECTED_LR = {
    "adadelta": 1.0,
    "adafactor": 1e-2,
    "adagrad": 1e-2,
    "adam": 1e-3,
    "adamc": 1e-3,
    "adamw": 1e-3,
    "muon": 1e-2,
    "nadam": 2e-3,
    "rmsprop": 1e-3,
    "sgd": 0.1,
}

ONLY_FOR_GRAPHS = {"capturable", "differentiable", "maximize"}
"""Arguments that mean nothing to a training loop of ours."""


def test_every_useful_argument_is_written_out_and_no_other(name: str, lab) -> None:
    target, given = lab.arguments(name)
    taken = set(inspect.signature(target).parameters) - {"params"}
    assert set(given) <= taken
    left_out = taken - set(given) - ONLY_FOR_GRAPHS
    assert left_out == ({"decoupled_weight_decay"} if name == "adam" else set()), "adam with it is adamw"


def test_values_are_numbers_and_not_text(name: str, lab) -> None:
    """YAML 1.1 reads 1e-3 as text; Hydra's reader does not, and this is what it gives."""
    given = lab.arguments(name)[1]
    assert given["lr"] == EXPECTED_LR[name]
    assert isinstance(given["lr"], float)
    for pair in ("betas", "eps"):
        assert not isinstance(given.get(pair), str)


def test_each_file_opens_with_one_sentence(name: str, conf: Path) -> None:
    editors, first, *_ = (conf / f"{name}.yaml").read_text().splitlines()
    assert editors == "# yaml-language-server: $schema=../.schemas/optimizer.json"
    assert first.startswith("# ")
    assert first.endswith(".")


def test_a_checkpoint_continues_bit_for_bit(name: str, lab) -> None:
    """5 updates, saved and loaded under weights_only into a fresh optimizer, 5 more: equal to 10 at a stretch."""
    straight = lab.net()
    lab.train(straight, lab.build(name, straight).step)

    first = lab.net()
    optimizer = lab.build(name, first)
    lab.train(first, optimizer.step, range(5))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    second = lab.net()
    second.load_state_dict(saved["model"])
    optimizer = lab.build(name, second)
    optimizer.load_state_dict(saved["optimizer"])
    lab.train(second, optimizer.step, range(5, 10))
    assert lab.same(second, straight)
