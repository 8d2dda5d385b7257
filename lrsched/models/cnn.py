"""A small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from lrsched.errors import ConfigError
from lrsched.models import checks
from lrsched.models.checks import ImageShape
from lrsched.models.norms import in_a_row


class CNN(nn.Module):
    """A modern LeNet: blocks of 3x3 convolution, batch norm, ReLU and 2x2 max-pooling, then two layers.

    ::

        C×H×W ─ [conv 3x3 ─ norm ─ relu ─ pool 2x2] per entry of channels ─ linear ─ relu ─ dropout ─ linear

    Each block halves the image, rounding down; its zero-padded convolution keeps the size. So the two
    default blocks suit 8x8 digits (to 2x2), 28x28 (to 7x7) and 32x32 images (to 8x8).

    Args:
        input_shape: (C, H, W) of an image.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for an image, as the task asks.
        channels: feature maps of each block, at least one block.
        hidden: width of the fully connected layer.
        batch_norm: normalise each feature map over the batch; the convolution then needs no bias.
        dropout: dropout probability of hidden units.

    Raises:
        ConfigError: a width below 1, no block, more blocks than the image can be halved, a dropout outside [0, 1).

    References:
        LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998,
        https://doi.org/10.1109/5.726791
        Ioffe, Szegedy, Batch Normalization, ICML 2015, https://arxiv.org/abs/1502.03167

    >>> import torch
    >>> CNN((1, 8, 8), classes=10)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        channels: Sequence[int] = (16, 32),
        hidden: int = 128,
        batch_norm: bool = True,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        colours, height, width = checks.image(input_shape)
        maps = checks.counts("channels", channels)
        dropout = checks.probability("dropout", dropout)
        height, width = height >> len(maps), width >> len(maps)
        if not maps or not height or not width:
            raise ConfigError(
                "channels",
                list(maps),
                f"makes {len(maps)} blocks, and each halves the images of {input_shape[1]}x{input_shape[2]} pixels",
                "give at least one block, and fewer than would leave no pixel",
            )
        blocks = [_block(inputs, outputs, batch_norm) for inputs, outputs in pairwise((colours, *maps))]
        self.body = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(maps[-1] * height * width, checks.count("hidden", hidden)),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, checks.outputs(classes, outputs)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, C, H, W] to logits [B, classes] or [B, outputs]."""
        return self.head(self.body(x))

    def before_norm(self) -> set[str]:
        """The weights whose scale does not matter: those of the convolutions before a norm."""
        return in_a_row(self)


def _block(inputs: int, outputs: int, batch_norm: bool) -> nn.Sequential:
    """[B, inputs, H, W] to [B, outputs, H // 2, W // 2]."""
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=not batch_norm)
    return nn.Sequential(convolution, *norm, nn.ReLU(), nn.MaxPool2d(2))
