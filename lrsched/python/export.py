"""Write weights in a format that any library reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

import lrsched
from lrsched.errors import UNSET, ConfigError, storage
from lrsched.records import write_atomically

SUFFIX = ".safetensors"


def export(path: Path, weights: Mapping[str, Any], about: Mapping[str, str]) -> Path:
    """Write the tensors of a ``state_dict`` as safetensors, under every name, also where two names share one tensor.

    Args:
        path: of the file.
        weights: by name.
        about: what the file says of them.

    Raises:
        ConfigError: safetensors is not installed, another ending, or an entry that is no tensor.
        StorageError: the file system refused.
    """
    if path.suffix != SUFFIX:
        raise ConfigError("path", str(path), f"must end in {SUFFIX}", f"as in {path.stem or 'model'}{SUFFIX}")
    try:
        from safetensors.torch import save
    except ImportError as error:
        rule = "needs safetensors, which is not installed"
        raise ConfigError("export", UNSET, rule, "pip install 'hydra-lrsched[export]'") from error
    strange = [name for name, item in weights.items() if not isinstance(item, Tensor)]
    if strange:
        raise ConfigError("export", UNSET, f"{strange[0]} is no tensor, and safetensors holds nothing else")
    tensors = {name: item.detach().contiguous().clone() for name, item in weights.items()}
    content = save(tensors, {"format": "pt", "lrsched": lrsched.__version__, **about})
    with storage(f"{path} cannot be written"):
        write_atomically(path, content)
    return path
