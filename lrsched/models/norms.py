"""Name the weights whose output goes straight into a norm, which takes away their scale."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def in_a_row(model: nn.Module) -> set[str]:
    """The weights of layers that stand before a norm in a ``Sequential``: the norm undoes any factor on them.

    Batch norm also takes away a bias; with other norms the layer has none, or its scale would count.

    >>> norm = nn.BatchNorm2d(4)
    >>> in_a_row(nn.Sequential(nn.Conv2d(1, 4, 3), norm, nn.ReLU(), nn.Conv2d(4, 4, 3)))
    {'0.weight'}
    """
    return set(_in_a_row(model))


def _in_a_row(model: nn.Module) -> Iterator[str]:
    for above, module in model.named_modules():
        if isinstance(module, nn.Sequential):
            for (name, layer), (_, norm) in pairwise(module.named_children()):
                if isinstance(layer, LAYERS) and _scaleless(layer, norm):
                    yield f"{above}.{name}.weight" if above else f"{name}.weight"


def _scaleless(layer: nn.Module, norm: nn.Module) -> bool:
    if isinstance(norm, _BatchNorm):
        return True
    return isinstance(norm, (nn.GroupNorm, nn.LayerNorm)) and getattr(layer, "bias", None) is None
