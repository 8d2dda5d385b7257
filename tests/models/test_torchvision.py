"""torchvision's classifiers."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from lrsched.errors import ConfigError
from lrsched.models import TorchVision


def test_it_is_torchvisions_network_untrained() -> None:
    from torchvision.models import resnet18

    torch.manual_seed(3)
    ours = TorchVision((3, 32, 32), 7, name="resnet18")
    state = torch.get_rng_state()
    torch.manual_seed(3)
    peer = resnet18(weights=None, num_classes=7)
    assert torch.equal(state, torch.get_rng_state())  # trying the shapes has drawn nothing
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(ours(x), peer(x))


def test_a_grey_image_is_shown_three_times() -> None:
    model = TorchVision((1, 32, 32), 5, name="squeezenet1_1").eval()
    grey = torch.rand(2, 1, 32, 32)
    assert torch.equal(model(grey), model.network(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("name", ["googlenet", "shufflenet_v2_x0_5", "regnet_y_400mf", "vit_b_32"])
def test_odd_ones_give_logits_in_training(name: str) -> None:
    """Auxiliary outputs, scalars in the constructor, an image size that is part of the network."""
    assert TorchVision((3, 32, 32), 5, name=name).train()(torch.rand(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize("name", ["ResNet18", "resnet_18", "resnet81"])
def test_an_unknown_name_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^name={name}: is not a classifier of torchvision; did you mean 'resnet18'"):
        TorchVision((3, 32, 32), 10, name=name)


@pytest.mark.parametrize("name", ["fcn_resnet50", "fasterrcnn_resnet50_fpn", "quantized_resnet18"])
def test_what_does_not_classify_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a classifier"):
        TorchVision((3, 32, 32), 10, name=name)


@pytest.mark.parametrize(("name", "side"), [("alexnet", 32), ("squeezenet1_1", 8), ("vit_b_32", 28), ("maxvit_t", 32)])
def test_images_that_are_too_small_are_refused_at_once(name: str, side: int) -> None:
    with pytest.raises(ConfigError, match=f"^name={name}: cannot take images of {side}x{side} pixels"):
        TorchVision((1, side, side), 10, name=name)


def test_other_than_grey_and_colour_is_refused() -> None:
    with pytest.raises(ConfigError, match="not 2 channels"):
        TorchVision((2, 32, 32), 10)


def test_torchvision_is_imported_only_when_a_model_is_built() -> None:
    code = "import sys, lrsched.models as m; dir(m); m.TorchVision; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
