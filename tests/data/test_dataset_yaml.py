"""conf/dataset: every data set has a YAML, which says all that it and the trainer take."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

import lrsched.data
from lrsched.data import Augment

OWN = ("npz", "text", "table", "python_source", "picture", "torch", "imagefolder", "imagemasks")
"""Data whose number of samples depends on what they are read from, or on their own keys."""
BATCH_SIZE = {
    "digits": 64,
    "diabetes": 32,
    "cancer": 32,
    "table": 64,
    "text": 32,
    "python_source": 16,
    "picture": 512,
    "imagemasks": 16,
    "noisy_quadratic": 4,
}
OTHER: dict[str, dict[str, float]] = {
    "python_source": {"eval_batch_size": 32, "validation": 0.03, "test": 0.1},
    "picture": {"validation": 0.02, "test": 0.1},
    "imagemasks": {"eval_batch_size": 64},
    "noisy_quadratic": {"validation": 0.01},
}
"""What a data set's YAML sets to another value than its base."""
COUNTS = {
    "digits": (1797, 0),
    "diabetes": (442, 0),
    "cancer": (569, 0),
    "synthetic": ("${.samples}", 0),
    "noisy_quadratic": ("${.samples}", 1),
    "cifar10": (50000, 10000),
    "cifar100": (50000, 10000),
}
TARGETS = {
    "cancer": "Cancer",
    "diabetes": "Diabetes",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "digits": "Digits",
    "imagefolder": "ImageFolder",
    "imagemasks": "ImageMasks",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "mnist": "MNIST",
    "noisy_quadratic": "NoisyQuadratic",
    "npz": "Npz",
    "picture": "Picture",
    "python_source": "PythonSource",
    "text": "Text",
    "torch": "TorchDataset",
    "table": "Table",
    "synthetic": "Synthetic",
}


def test_every_data_set_has_its_yaml(root: Path) -> None:
    assert sorted(file.stem for file in (root / "conf" / "dataset").glob("[!_]*.yaml")) == sorted(TARGETS)
    assert set(TARGETS.values()) <= set(dir(lrsched.data))


@pytest.mark.parametrize("name", TARGETS)
def test_the_yaml_writes_out_every_key(name: str, root: Path) -> None:
    file = root / "conf" / "dataset" / f"{name}.yaml"
    assert file.read_text("utf-8").startswith("# ")
    own = OmegaConf.load(file)
    assert isinstance(own, DictConfig)
    assert own.pop("defaults") == ["_dataset", "_self_"]
    node = OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(file.with_name("_dataset.yaml")), own))
    assert isinstance(node, dict)
    photographs = name.startswith("cifar")
    train, test = COUNTS.get(name, (60000, 10000) if name not in OWN else (None, 0))  # the MNIST family
    reserved = {
        "train_samples": train,
        "test_samples": test,
        "batch_size": BATCH_SIZE.get(name, 128),
        "eval_batch_size": 1024,
        "validation": 0.1,
        "test": 0.2,
        "split_seed": 0,
        "fold": None,
        "folds": 5,
        "augment": asdict(Augment(crop=4, flip=True) if photographs else Augment()),
    }
    reserved |= OTHER.get(name, {})
    assert {key: node.pop(key) for key in reserved} == reserved
    assert node.pop("_target_") == f"lrsched.data.{TARGETS[name]}"
    defaults = {field.name: field.default for field in fields(getattr(lrsched.data, TARGETS[name]))}
    made = {field.name: field.default_factory for field in fields(getattr(lrsched.data, TARGETS[name]))}
    defaults |= {key: make() for key, make in made.items() if make is not MISSING}
    if name == "torch":  # two keys of the trainer may be data sets there
        assert [defaults.pop(key) for key in ("validation", "test")] == [None, None]
    if name == "imagemasks":  # told by the task
        assert (node.pop("ignore"), defaults.pop("ignore")) == ("${oc.select:task.ignore,null}", None)
    said = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
    assert said == {key: "???" if value is MISSING else value for key, value in defaults.items()}


def test_what_every_data_set_takes_is_said_once(root: Path) -> None:
    shared = (root / "conf" / "dataset" / "_dataset.yaml").read_text("utf-8")
    editors, taught = shared.split("\n", 1)
    assert editors == "# yaml-language-server: $schema=../.schemas/dataset.json"
    assert taught.startswith("# What every data set takes")
    assert all("#" in line for line in shared.splitlines())
    held = OmegaConf.to_container(OmegaConf.create(shared))
    assert isinstance(held, dict)
    for name in TARGETS:
        own = OmegaConf.to_container(OmegaConf.load(root / "conf" / "dataset" / f"{name}.yaml"))
        assert isinstance(own, dict)
        again = {key for key, value in own.items() if key in held and held[key] == value}
        assert not again, f"{name}.yaml says again what _dataset.yaml says: {again}"
