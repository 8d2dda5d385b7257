"""torchvision's image classifiers, by name."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.errors import ConfigError, nearest
from lrsched.models import checks
from lrsched.models.checks import ImageShape


class TorchVision(nn.Module):
    """Any image classifier of ``torchvision.models``, untrained, with one logit per class.

    torchvision's networks take colour images. A grey image becomes red, green and blue: this changes none
    of the 80 architectures, costs no memory (the channel is expanded, not copied), and computes what a
    first convolution with the sum of its three kernels would.

    Most of these networks are made for images of 224x224 pixels and shrink them 32 times. Building the
    model tries the image size on shapes alone.

    Args:
        input_shape: (C, H, W) of an image, with C = 1 or 3.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for an image, as the task asks.
        name: as ``torchvision.models.list_models`` has it: ``resnet18``, ``mobilenet_v3_small``, …
            Pretrained weights are never loaded.

    Raises:
        ConfigError: an unknown name, images of other than 1 or 3 channels or too small for this network,
            or torchvision not installed.

    References:
        https://docs.pytorch.org/vision/stable/models.html
    """

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        name: str = "resnet18",
    ) -> None:
        super().__init__()
        channels, height, width = checks.image(input_shape)
        count = checks.outputs(classes, outputs)
        if channels not in (1, 3):
            raise ConfigError("name", name, f"takes grey or colour images, not {channels} channels", "take model=cnn")
        models = _models(name)
        try:
            self.network = models.get_model(name, weights=None, num_classes=count, **_options(name, height, width))
            _try_shapes(self.network, height, width)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ConfigError(
                "name",
                name,
                f"cannot take images of {height}x{width} pixels ({str(error).splitlines()[0]})",
                "take model=cnn, model=resnet9 or model=resnet18, which are made for small images",
            ) from error

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, 1 or 3, H, W] to logits [B, classes] or [B, outputs]."""
        return self.network(x.expand(-1, 3, -1, -1))


def _models(name: str) -> ModuleType:
    """torchvision.models, after a check that it has a classifier of that name."""
    try:
        from torchvision import models  # slow to import
    except ImportError as error:
        raise ConfigError("name", name, "needs torchvision", "pip install torchvision") from error
    known = models.list_models(module=models)
    if name not in known:
        raise ConfigError("name", name, "is not a classifier of torchvision", nearest(str(name).lower(), known))
    return models


def _options(name: str, height: int, width: int) -> dict[str, Any]:
    """Further arguments that a few of the networks need."""
    if name.startswith("vit_"):  # learns a position for each patch of a square image
        return {"image_size": height}
    if name.startswith("maxvit_"):
        return {"input_size": (height, width)}
    if name in ("googlenet", "inception_v3"):  # one output instead of three; the paper's initial weights
        return {"aux_logits": False, "init_weights": True}
    return {}


def _try_shapes(network: nn.Module, height: int, width: int) -> None:
    """Run two images through the network on the meta device, which computes shapes alone."""
    state = {key: value.to("meta") for key, value in (*network.named_parameters(), *network.named_buffers())}
    torch.func.functional_call(network, state, torch.empty(2, 3, height, width, device="meta"))
