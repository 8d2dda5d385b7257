"""Our own networks: sizes by hand, structure, and refused parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrsched.errors import ConfigError
from lrsched.models import CNN, MLP, ResNet9, ResNet18


def weights(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_mlp_size() -> None:
    assert weights(MLP((1, 28, 28), 10)) == 784 * 128 + 128 + 128 * 10 + 10 == 101_770
    assert weights(MLP((3, 8, 8), 5, hidden=[20, 30])) == 192 * 20 + 20 + 20 * 30 + 30 + 30 * 5 + 5


def test_mlp_without_hidden_layers_is_linear() -> None:
    model = MLP((1, 8, 8), 3, hidden=[])
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(model(x), model.head(x.reshape(2, 64)))


def test_mlp_by_hand() -> None:
    model = MLP((1, 1, 2), 2, hidden=[2], activation="tanh")
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    for mine, given in zip(model.parameters(), (first.weight, first.bias, second.weight, second.bias), strict=True):
        mine.data.copy_(given)
    x = torch.tensor([[0.5, -2.0]])
    assert torch.equal(model(x.reshape(1, 1, 1, 2)), second(torch.tanh(first(x))))


def test_dropout_draws_from_the_default_generator_in_training_alone() -> None:
    model = MLP((1, 8, 8), 3, dropout=0.5)
    x = torch.rand(4, 1, 8, 8)
    outputs = []
    for _ in range(2):
        torch.manual_seed(7)
        outputs.append(model(x))
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("side", [8, 28, 32])
def test_cnn_size(side: int) -> None:
    """Convolutions without bias, two numbers of each norm, and two linear layers on (side/4)² pixels."""
    expected = 9 * 1 * 16 + 2 * 16 + 9 * 16 * 32 + 2 * 32 + 32 * (side // 4) ** 2 * 128 + 128 + 128 * 10 + 10
    assert weights(CNN((1, side, side), 10)) == expected


def test_cnn_without_norm_has_biases() -> None:
    expected = 9 * 3 * 4 + 4 + 4 * 4 * 4 * 5 + 5 + 5 * 2 + 2
    assert weights(CNN((3, 8, 8), 2, channels=[4], hidden=5, batch_norm=False)) == expected


def test_resnet9_size() -> None:
    w = 64
    convolutions = 9 * (3 * w + w * 2 * w + 2 * (2 * w) ** 2 + 2 * w * 4 * w + 4 * w * 8 * w + 2 * (8 * w) ** 2)
    norms = 2 * (w + 2 * w + 2 * 2 * w + 4 * w + 8 * w + 2 * 8 * w)
    assert weights(ResNet9((3, 32, 32), 10)) == convolutions + norms + 8 * w * 10 == 6_573_120


def test_resnet9_scales_its_logits() -> None:
    torch.manual_seed(0)
    model = ResNet9((1, 8, 8), 4, width=4).eval()
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(model(x), model.head(model.body(x)) / 8)


def test_resnet18_size() -> None:
    """The number that is known for the CIFAR form of He et al.'s network."""
    assert weights(ResNet18((3, 32, 32), 10)) == 11_173_962


def test_resnet18_body_is_torchvisions_but_for_the_stem() -> None:
    from torchvision.models import resnet18

    peer = resnet18(weights=None, num_classes=10)
    theirs = [p for name, p in peer.named_parameters() if name.startswith("layer")]
    ours = list(ResNet18((3, 32, 32), 10).body[3:11].parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    model = ResNet18((3, 32, 32), 10)
    for mine, given in zip(model.body[3:11].parameters(), theirs, strict=True):
        mine.data.copy_(given.data)
    x = torch.rand(2, 64, 8, 8)
    layers = nn.Sequential(peer.layer1, peer.layer2, peer.layer3, peer.layer4)
    assert torch.equal(model.body[3:11](x), layers(x))


def test_resnet18_blocks_start_as_the_identity_where_asked() -> None:
    blocks = ResNet18((3, 32, 32), 10, width=8, zero_init=True).body[3:5]
    x = torch.rand(2, 8, 8, 8)  # at least 0, so the relu after the sum changes nothing
    assert torch.equal(blocks(x), x)
    assert not torch.equal(ResNet18((3, 32, 32), 10, width=8).body[3:5](x), x)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (MLP, {"hidden": [0]}, r"^hidden=\[0\]: must hold whole numbers of at least 1"),
        (MLP, {"hidden": [1.5]}, r"^hidden=\[1.5\]"),
        (MLP, {"hidden": 256}, r"^hidden=256: is a list of whole numbers; write hidden=\[256\]"),
        (MLP, {"dropout": 1.5}, "^dropout=1.5: must be at least 0 and below 1"),
        (MLP, {"dropout": 1.0}, "^dropout=1.0"),
        (MLP, {"dropout": -0.1}, "^dropout=-0.1"),
        (MLP, {"activation": "rleu"}, "^activation=rleu: is not one of relu, gelu, tanh; did you mean 'relu'"),
        (CNN, {"channels": []}, "^channels=.*makes 0 blocks"),
        (CNN, {"channels": [8, 8, 8, 8]}, "^channels=.*makes 4 blocks, and each halves the images of 8x8 pixels"),
        (CNN, {"channels": [8, -1]}, r"^channels=\[8,-1\]"),
        (CNN, {"hidden": 0}, "^hidden=0: must be a whole number of at least 1"),
        (CNN, {"dropout": float("nan")}, "^dropout=nan"),
        (ResNet9, {"width": 0}, "^width=0"),
        (ResNet9, {"scale": 0.0}, "^scale=0.0: must be above 0"),
        (ResNet18, {"width": True}, "^width=true"),
    ],
)
def test_bad_values_are_refused(model: type[nn.Module], options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model((1, 8, 8), 10, **options)


def test_resnet9_refuses_images_that_three_pools_would_consume() -> None:
    with pytest.raises(ConfigError, match="at least 8x8 pixels"):
        ResNet9((1, 7, 32), 10)
