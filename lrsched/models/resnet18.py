"""ResNet-18 for small images."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from lrsched.models import checks
from lrsched.models.checks import ImageShape
from lrsched.models.norms import in_a_row


class ResNet18(nn.Module):
    """He et al.'s 18-layer residual network with a 3x3 stem and no max-pool: about 95 % on CIFAR-10.

    The ImageNet stem (7x7, stride 2, then a pool) would shrink a 32x32 image to 8x8 before the first
    block; here the image keeps its full size. With w = ``width``::

        conv w ─ 2 blocks w ─ 2 blocks 2w, ½ ─ 2 blocks 4w, ½ ─ 2 blocks 8w, ½ ─ global mean ─ linear

        block(x) = relu( norm(conv(relu(norm(conv(x))))) + shortcut(x) )

    The shortcut is x itself, or a 1x1 convolution with norm where the block halves the image (option B of
    the paper). A fully convolutional body takes any image size.

    Args:
        input_shape: (C, H, W) of an image.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for an image, as the task asks.
        width: feature maps of the first stage; 64 in the paper.
        zero_init: start the last norm of each block at scale 0, so that every block starts as the
            identity. Helps with large batches and high learning rates (Goyal et al., section 5.1).

    Raises:
        ConfigError: ``width`` below 1.

    References:
        He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016,
        https://arxiv.org/abs/1512.03385
        Goyal et al., Accurate, Large Minibatch SGD, 2017, https://arxiv.org/abs/1706.02677
    """

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        width: int = 64,
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        channels, _, _ = checks.image(input_shape)
        w = checks.count("width", width)
        self.body = nn.Sequential(
            _convolution(channels, w, kernel=3),
            nn.BatchNorm2d(w),
            nn.ReLU(),
            *(_Block(w, w), _Block(w, w)),
            *(_Block(w, 2 * w, stride=2), _Block(2 * w, 2 * w)),
            *(_Block(2 * w, 4 * w, stride=2), _Block(4 * w, 4 * w)),
            *(_Block(4 * w, 8 * w, stride=2), _Block(8 * w, 8 * w)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(8 * w, checks.outputs(classes, outputs))
        self._initialise(zero_init)

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, C, H, W] to logits [B, classes] or [B, outputs]."""
        return self.head(self.body(x))

    def before_norm(self) -> set[str]:
        """The weights whose scale does not matter: those of all convolutions."""
        blocks = [name for name, module in self.named_modules() if isinstance(module, _Block)]
        return in_a_row(self) | {f"{name}.{conv}.weight" for name in blocks for conv in ("conv1", "conv2")}

    def _initialise(self, zero_init: bool) -> None:
        """He et al.'s normal weights (https://arxiv.org/abs/1502.01852), std √(2 / fan-out)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init and isinstance(module, _Block):
                nn.init.zeros_(module.norm2.weight)


class _Block(nn.Module):
    """[B, inputs, H, W] to [B, outputs, H / stride, W / stride], rounded up."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, kernel=3, stride=stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = _convolution(outputs, outputs, kernel=3)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                _convolution(inputs, outputs, kernel=1, stride=stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        branch = relu(self.norm1(self.conv1(x)))
        branch = self.norm2(self.conv2(branch))
        return relu(branch + self.shortcut(x))


def _convolution(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the image's size at stride 1; no bias, since a norm with a shift follows."""
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
