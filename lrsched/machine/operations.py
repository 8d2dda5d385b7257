"""Count what a model computes: the operations of its matrix products, convolutions, attention and recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Arguments = Sequence[Any]


class Operations(TorchDispatchMode):
    """Counts while it is entered: a multiplication and its addition are two.

    The shapes of tensors alone decide, not the device or the type; elementwise operations are left out, and so are
    those that it does not know. torch's ``FlopCounterMode`` counts the same, and takes a quarter of a second to import.

    >>> import torch
    >>> with Operations() as counted:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 5)
    >>> counted.total
    60
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """What torch asks: whether to hide the next method from its compiler, which it would import, in a second."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Arguments = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = COUNTED.get(func._schema.name)
        if count is not None:
            with suppress(AttributeError, IndexError, TypeError):  # called in another way: as one that it does not know
                self.total += count(args, result)
        return result


def _product(left: Tensor, right: Tensor) -> int:
    """Of [.., m, k] and [.., k, n], or [k]: 2·m·k·n."""
    return 2 * left.numel() * (right.shape[-1] if right.ndim > 1 else 1)


def _linear(args: Arguments, result: Any) -> int:
    """Of [.., k] and a weight [n, k]."""
    return 2 * args[0].numel() * args[1].shape[0]


def _convolution(args: Arguments, result: Any) -> int:
    """Each number of the output, or of the input of a transposed one, meets one filter: [channels, .., kernel]."""
    weight, transposed = args[1], len(args) > 6 and bool(args[6])
    return 2 * (args[0] if transposed else result).numel() * prod(weight.shape[1:])


def _attention(args: Arguments, result: Any) -> int:
    """Of queries [.., q, d], keys [.., k, d] and values [.., k, v]: 2·q·k·d and 2·q·k·v."""
    query, key, value = args[0], args[1], args[2]
    return 2 * query.numel() * key.shape[-2] + 2 * prod(query.shape[:-1]) * value.shape[-2] * value.shape[-1]


def _recurrent(args: Arguments, result: Any) -> int:
    """Of a layer over [time, batch, features] (or batch first): each weight once for each of them."""
    return 2 * prod(args[0].shape[:-1]) * (args[1].numel() + args[2].numel())


COUNTED: Mapping[str, Callable[[Arguments, Any], int]] = {
    **{f"aten::{name}": lambda args, _: _product(args[0], args[1]) for name in ("mm", "bmm", "mv", "matmul")},
    **{f"aten::{name}": lambda args, _: _product(args[1], args[2]) for name in ("addmm", "baddbmm", "addmv")},
    "aten::linear": _linear,
    **{f"aten::{name}": _convolution for name in ("convolution", "_convolution")},
    "aten::mkldnn_rnn_layer": _recurrent,
    "aten::scaled_dot_product_attention": _attention,
    **{
        f"aten::_scaled_dot_product_{name}": _attention
        for name in ("flash_attention", "flash_attention_for_cpu", "efficient_attention", "cudnn_attention")
    },
}
"""How many operations a call has, by its name: a function of its arguments and its result."""
