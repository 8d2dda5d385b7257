"""Read weights that others have saved: as data, never as code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrsched.errors import ConfigError

SAFE = ".safetensors"
PICKLED = (".pt", ".pth", ".bin")
ENDINGS = (SAFE, *PICKLED)
"""What a file of weights may end in."""

OTHERS = {"init_from": "or name a run's folder"}
"""What else a key may name."""

INSIDE = ("model", "state_dict")
"""Where a mapping that is no ``state_dict`` itself may hold one."""


def read_weights(path: Path, key: str) -> Mapping[str, Any]:
    """The weights in a file.

    Args:
        path: of a ``.safetensors``, ``.pt``, ``.pth`` or ``.bin`` file, which is unpickled under ``weights_only``.
        key: that names it, for messages.

    Raises:
        ConfigError: it cannot be read, or holds no weights.
    """
    if path.suffix == SAFE:
        return _safe(path, key)
    if path.suffix not in PICKLED:
        rule = f"is no file of weights: it must end in {SAFE} or .pt"
        above = path.name in ("config.yaml", "result.json") and path.parent
        raise ConfigError(key, str(path), rule, f"the run is {above}" if above else OTHERS.get(key, ""))
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(key, str(path), f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the unpickler raises anything on foreign bytes
        rule = f"cannot be read as data ({type(error).__name__}): it is damaged, or holds more than weights"
        raise ConfigError(key, str(path), rule, "write it by torch.save(model.state_dict(), path)") from error
    return _unwrapped(path, key, found)


def _unwrapped(path: Path, key: str, found: Any) -> Mapping[str, Any]:
    """The ``state_dict`` that was saved, itself or inside a mapping."""
    if isinstance(found, Mapping):
        inside = [name for name in INSIDE if _is_weights(found.get(name))]
        if len(inside) == 1:
            return found[inside[0]]
        if len(inside) > 1:
            rule = f"holds weights under {' and '.join(inside)}"
            raise ConfigError(key, str(path), rule, "save the one that is meant")
        if _is_weights(found):
            return found
    holds = (
        f"a mapping of {', '.join(map(str, list(found)[:5])) or 'nothing'}"
        if isinstance(found, Mapping)
        else f"a {type(found).__name__}"
    )
    rule = f"holds {holds}; a state_dict is wanted, or a mapping with one under {' or '.join(INSIDE)}"
    raise ConfigError(key, str(path), rule, "write it by torch.save(model.state_dict(), path)")


def _is_weights(value: Any) -> bool:
    """Whether a value is a ``state_dict``: tensors by name, and a module's extra states."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    named = [item for name, item in value.items() if not name.endswith("_extra_state")]
    return bool(named) and all(isinstance(item, Tensor) for item in named)


def _safe(path: Path, key: str) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        remedy = "pip install 'hydra-lrsched[export]'"
        raise ConfigError(key, str(path), "needs safetensors, which is not installed", remedy) from error
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(key, str(path), f"cannot be read: {' '.join(str(error).split())}") from error
    if not found:
        raise ConfigError(key, str(path), "holds no weights")
    return found
