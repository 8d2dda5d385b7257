"""Properties of every model and its YAML."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.functional import cross_entropy

import lrsched.models
from lrsched.errors import ConfigError

NAMES = [
    *("CNN", "Fourier", "GPT", "HF", "Linear", "MLP", "Quadratic"),
    *("ResNet18", "ResNet9", "Timm", "TorchVision", "UNet"),
]
OTHERS = {
    "GPT": {"vocabulary", "context"},
    "HF": {"input_shape", "classes", "outputs", "vocabulary"},
    "Quadratic": {"input_shape"},
    "UNet": {"input_shape", "classes", "outputs"},
}
"""Models that are no classifiers of samples, and the facts that they ask for; tests/models/ has a file for each."""
CLASSIFIERS = [name for name in NAMES if name not in OTHERS]
FLAT = ("Fourier", "Linear", "MLP")
"""Models for inputs of any shape."""
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
LIGHT = {
    "ResNet9": {"width": 8},
    "ResNet18": {"width": 8},
    "Timm": {"name": "test_resnet"},
    "TorchVision": {"name": "squeezenet1_1"},
}


def build(name: str, shape: tuple[int, int, int], classes: int = 10) -> nn.Module:
    if name == "Timm":
        pytest.importorskip("timm", reason="no timm: pip install 'hydra-lrsched[timm]'")
    torch.manual_seed(0)
    options = {} if name == "TorchVision" and shape[1] == 8 else LIGHT.get(name, {})  # squeezenet wants more pixels
    return getattr(lrsched.models, name)(input_shape=shape, classes=classes, **options)


def test_the_shelf_is_complete() -> None:
    assert dir(lrsched.models) == NAMES


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_become_logits(name: str, shape: tuple[int, int, int]) -> None:
    logits = build(name, shape, classes=7)(torch.rand(4, *shape))
    assert logits.shape == (4, 7)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_two_steps_reduce_the_loss_on_a_fixed_batch(name: str) -> None:
    model = build(name, (1, 28, 28))
    x, y = torch.rand(16, 1, 28, 28), torch.arange(16) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        torch.manual_seed(0)  # the same dropout mask each time
        loss = cross_entropy(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_seed_decides_the_weights(name: str) -> None:
    first, second = build(name, (3, 32, 32)).state_dict(), build(name, (3, 32, 32)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_the_data_set_gives_is_checked(name: str) -> None:
    model = getattr(lrsched.models, name)
    if name == "Timm":
        pytest.importorskip("timm", reason="no timm: pip install 'hydra-lrsched[timm]'")
    with pytest.raises(ConfigError, match="classes=1"):
        model((1, 28, 28), 1)
    if name in FLAT:
        assert model((28, 28), outputs=3)(torch.rand(4, 28, 28)).shape == (4, 3)
        with pytest.raises(ConfigError, match="neither task nor data tell"):
            model((28, 28))
        return
    with pytest.raises(ConfigError, match="channels, height and width"):
        model((28, 28), 10)


def test_every_model_has_its_yaml(root: Path) -> None:
    files = (root / "conf" / "model").glob("*.yaml")
    assert sorted(file.stem for file in files) == sorted(name.lower() for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_yaml_writes_out_every_parameter_at_its_default(name: str, root: Path) -> None:
    file = root / "conf" / "model" / f"{name.lower()}.yaml"
    assert file.read_text("utf-8").startswith("# ")
    node = OmegaConf.to_container(OmegaConf.load(file))
    assert isinstance(node, dict)
    assert node.pop("_target_") == f"lrsched.models.{name}"
    parameters = inspect.signature(getattr(lrsched.models, name)).parameters
    told = OTHERS.get(name, {"input_shape", "classes", "outputs"})
    defaults = {key: p.default for key, p in parameters.items() if key not in told}
    assert node == {key: list(v) if isinstance(v, tuple) else v for key, v in defaults.items()}
