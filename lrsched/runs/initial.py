"""Where a run starts from other weights than its own: read them, and tell whether their source has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsched.checkpoint.places import survey
from lrsched.config.settings import Settings
from lrsched.errors import CheckpointError, ConfigError
from lrsched.records import RunFolder
from lrsched.runs.resume import must_hold_a_run

if TYPE_CHECKING:
    from lrsched.assembly.weights import Initial

INITIAL = "init_sha256"
"""The name of the source's hash in a manifest and in a result: of the file, or of the run's newest checkpoint."""

SAFE = ".safetensors"
PICKLED = (".pt", ".pth")
INSIDE = ("model", "state_dict")
"""Where a mapping that is no ``state_dict`` itself may hold one."""


def initial_weights(run: Settings) -> tuple[Initial, str] | None:
    """The weights that a run starts from, and the hash of their source; None: its own.

    Raises:
        ConfigError: there is no such file or run, or it holds no weights.
        CheckpointError: the run has no valid checkpoint.
    """
    if run.init_from is None:
        return None
    from lrsched.assembly.weights import Initial  # imports torch
    from lrsched.runs.weights import saved_weights

    path = Path(run.init_from)
    if path.is_file():
        weights = _read(path)
        return Initial(run.init_from, weights, run.init_match), _sha256(path)
    if not path.is_dir() and path.suffix in (SAFE, *PICKLED):
        raise ConfigError("init_from", run.init_from, "there is no such file")
    folder = RunFolder(path)
    must_hold_a_run("init_from", folder)
    saved = saved_weights(folder)
    return Initial(run.init_from, saved.weights, run.init_match), str(saved.checkpoint.manifest["sha256"])


def begun_with(folder: RunFolder) -> str | None:
    """The hash of the source that the run in a folder started from, as its newest checkpoint says; or None."""
    found = (checkpoint.manifest.get(INITIAL) for checkpoint in survey(folder.checkpoints) if not checkpoint.damaged)
    return next(found, None)


def changed_source(begun: str | None, init_from: str | None) -> bool:
    """Whether ``init_from`` holds other weights by now than those that a run began with; False where it is gone.

    Args:
        begun: the source's hash when the run began, or None.
        init_from: of its config.
    """
    if begun is None or init_from is None:
        return False
    path = Path(init_from)
    with suppress(OSError):
        if path.is_file():
            return _sha256(path) != begun
        newest = next(
            (item.manifest["sha256"] for item in survey(RunFolder(path).checkpoints) if not item.damaged), begun
        )
        return newest != begun
    return False


def refuse_changed_source(folder: RunFolder, init_from: str | None) -> None:
    """Refuse to take the run in a folder for one that starts from ``init_from`` as it is now.

    Raises:
        CheckpointError: it started from other weights.
    """
    if init_from is not None and changed_source(begun_with(folder), init_from):
        error = CheckpointError(
            f"{folder} began with other weights than init_from={init_from} holds now; bring them back, or begin "
            "runs of another name"
        )
        error.repeatable = False
        raise error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Mapping[str, Any]:
    """The weights in a file."""
    if path.suffix == SAFE:
        return _safe(path)
    if path.suffix not in PICKLED:
        rule = f"is no file of weights: it must end in {SAFE} or .pt"
        above = path.name in ("config.yaml", "result.json") and path.parent
        raise ConfigError("init_from", str(path), rule, f"the run is {above}" if above else "or name a run's folder")
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError("init_from", str(path), f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the unpickler raises anything on foreign bytes
        rule = f"cannot be read as data ({type(error).__name__}): it is damaged, or holds more than weights"
        raise ConfigError("init_from", str(path), rule, "write it by torch.save(model.state_dict(), path)") from error
    return _unwrapped(path, found)


def _unwrapped(path: Path, found: Any) -> Mapping[str, Any]:
    """The ``state_dict`` that was saved, itself or inside a mapping."""
    if isinstance(found, Mapping):
        inside = [name for name in INSIDE if _is_weights(found.get(name))]
        if len(inside) == 1:
            return found[inside[0]]
        if len(inside) > 1:
            rule = f"holds weights under {' and '.join(inside)}"
            raise ConfigError("init_from", str(path), rule, "save the one that is meant")
        if _is_weights(found):
            return found
    holds = (
        f"a mapping of {', '.join(map(str, list(found)[:5])) or 'nothing'}"
        if isinstance(found, Mapping)
        else f"a {type(found).__name__}"
    )
    rule = f"holds {holds}; a state_dict is wanted, or a mapping with one under {' or '.join(INSIDE)}"
    raise ConfigError("init_from", str(path), rule, "write it by torch.save(model.state_dict(), path)")


def _is_weights(value: Any) -> bool:
    """Whether a value is a ``state_dict``: tensors by name, and a module's extra states."""
    from torch import Tensor

    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    named = [item for name, item in value.items() if not name.endswith("_extra_state")]
    return bool(named) and all(isinstance(item, Tensor) for item in named)


def _safe(path: Path) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        remedy = "pip install 'hydra-lrsched[export]'"
        raise ConfigError("init_from", str(path), "needs safetensors, which is not installed", remedy) from error
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError("init_from", str(path), f"cannot be read: {' '.join(str(error).split())}") from error
    if not found:
        raise ConfigError("init_from", str(path), "holds no weights")
    return found
