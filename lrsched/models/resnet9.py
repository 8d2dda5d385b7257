"""ResNet-9, the fast network of the DAWNBench CIFAR-10 races."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from lrsched.errors import ConfigError
from lrsched.models import checks
from lrsched.models.checks import ImageShape
from lrsched.models.norms import in_a_row


class ResNet9(nn.Module):
    """Eight 3x3 convolutions and a linear layer, two residual connections: 94 % on CIFAR-10 in 24 epochs.

    With w = ``width``, "conv" = 3x3 convolution, batch norm, ReLU, and "pool" = 2x2 max-pooling::

        conv w ─ conv 2w ─ pool ─ (+ conv 2w ─ conv 2w) ─ conv 4w ─ pool ─ conv 8w ─ pool ─ (+ conv 8w ─ conv 8w)
               ─ global max-pool ─ linear ─ × scale

    The original ends with a 4x4 pool, which by then covers a whole 32x32 image; the global pool does the
    same, and suits 28x28 and 8x8 images too.

    Args:
        input_shape: (C, H, W) of an image, at least 8x8 pixels: three pools halve it.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for an image, as the task asks.
        width: feature maps of the first convolution; 64 in the original.
        scale: factor of the logits. A small one lets the weights grow before the softmax saturates, as a
            high peak learning rate requires.

    Raises:
        ConfigError: images too small, ``width`` below 1, ``scale`` not above 0.

    References:
        Page, How to Train Your ResNet, 2018, https://github.com/davidcpage/cifar10-fast
        Coleman et al., DAWNBench, 2017, https://dawn.cs.stanford.edu/benchmark/

    >>> import torch
    >>> ResNet9((3, 8, 8), classes=10, width=2)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        width: int = 64,
        scale: float = 0.125,
    ) -> None:
        super().__init__()
        channels, _, _ = checks.image(input_shape, least=8)
        w = checks.count("width", width)
        if not scale > 0:
            raise ConfigError("scale", scale, "must be above 0", "the original has 0.125")
        self.body = nn.Sequential(
            _convolution(channels, w),
            _convolution(w, 2 * w),
            nn.MaxPool2d(2),
            _Residual(2 * w),
            _convolution(2 * w, 4 * w),
            nn.MaxPool2d(2),
            _convolution(4 * w, 8 * w),
            nn.MaxPool2d(2),
            _Residual(8 * w),
            _Global(),
            nn.Flatten(),
        )
        self.head = nn.Linear(8 * w, checks.outputs(classes, outputs), bias=False)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, C, H, W] to logits [B, classes] or [B, outputs]."""
        return self.scale * self.head(self.body(x))

    def before_norm(self) -> set[str]:
        """The weights whose scale does not matter: those of the convolutions before a norm."""
        return in_a_row(self)


class _Global(nn.Module):
    """The largest value of each feature map: a pool of its size, which is deterministic on a GPU, too."""

    def forward(self, x: Tensor) -> Tensor:
        return max_pool2d(x, x.shape[-2:])


class _Residual(nn.Module):
    """x + conv(conv(x)), [B, width, H, W]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(width, width), _convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    """[B, inputs, H, W] to [B, outputs, H, W]; no bias, since a norm with a shift follows."""
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
