"""Hash models, so that runs of one config have one digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def weights_of(model: nn.Module) -> str:
    """Hash the tensors of a model's state by SHA-256; one that has no shape yet by its name alone."""
    return sha256_of({name: item for name, item in model.state_dict().items() if isinstance(item, Tensor)})


def structure_of(model: nn.Module) -> str:
    """Hash what a checkpoint does not replace, by SHA-256.

    These are the layers as ``print(model)`` shows them, names, types and shapes of the parameters, which of them train,
    and the buffers that are not saved.
    """
    digest = hashlib.sha256(_ADDRESS.sub("", repr(model)).encode())
    for name, parameter in model.named_parameters():
        form = "" if is_lazy(parameter) else tuple(parameter.shape)
        digest.update(f"\n{name} {parameter.dtype} {form} {parameter.requires_grad}".encode())
    saved = model.state_dict()
    unsaved = {name: buffer for name, buffer in model.named_buffers() if name not in saved}
    digest.update(sha256_of(unsaved).encode())
    return digest.hexdigest()


def sha256_of(tensors: Mapping[str, Tensor]) -> str:
    """Hash tensors by name, in sorted order: name, dtype, shape and little-endian bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} ".encode())
        if not is_lazy(tensor):
            digest.update(str(tuple(tensor.shape)).encode())
            whole = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(whole.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
