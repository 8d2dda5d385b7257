"""The hash of a config: equal for configs that compute the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lrsched.config.versions import as_written_first
from lrsched.config.walk import is_mapping

NEUTRAL = ("hydra", "name", "resume", "device", "threads", "logger", "checkpoint", "sweep")
"""Root keys that do not change what a run computes. (The fingerprint compares devices.)"""

NEUTRAL_WITHIN = {
    "dataset": ("root", "cache_root", "train_samples", "test_samples"),
    "trainer": ("progress", "profile", "show_every", "keep_memory", "processes"),
}
"""Keys of groups that do not change it either."""

HANDS: Mapping[str, Mapping[str, int]] = {
    "TorchDataset": {"workers": 2, "prefetch": 2},
    "ImageFolder": {"workers": 2},
    "ImageMasks": {"workers": 2},
}
"""Arguments of our data sets of items that say who makes the batches, which are the same for any number, and their
defaults. A data set of a user's own may mean something else by such a word."""


NAMED_BY_ROOT = ("ImageFolder", "ImageMasks")
"""Data sets of ours that ``dataset.root`` names; for others it says where the files of a known data set lie."""


FIXED = ("Cancer", "Diabetes", "Digits", "NoisyQuadratic", "Picture", "Synthetic")
"""Data sets of ours that no file of a user's and no version of Python changes: the config says all of them."""


def is_fixed(dataset: Any) -> bool:
    """Whether equal configs of a data set mean equal data, so that nobody has to look."""
    return _ours(dataset) in FIXED


def is_named_by_root(dataset: Any) -> bool:
    """Whether ``dataset.root`` says which data these are."""
    return _ours(dataset) in NAMED_BY_ROOT


def hands(dataset: Any) -> Mapping[str, int]:
    """The arguments of a data set that change no batch, each with the value that it is hashed with.

    Args:
        dataset: its node.
    """
    return HANDS.get(_ours(dataset), {})


def _ours(dataset: Any) -> str:
    """The name of the class of a data set of ours; empty for another one."""
    target = str(dataset.get("_target_")) if is_mapping(dataset) else ""
    home, _, name = target.rpartition(".")
    return name if f"{home}.".startswith("lrsched.data.") else ""


def computing(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the keys of a config that change the result, in the form that all versions share."""
    kept = {key: value for key, value in as_written_first(config).items() if key not in NEUTRAL}
    root = is_named_by_root(kept.get("dataset"))
    for group, names in NEUTRAL_WITHIN.items():
        if isinstance(kept.get(group), Mapping):
            named = [key for key in kept[group] if key not in names or (root and key == "root")]
            kept[group] = {key: kept[group][key] for key in named}
    if isinstance(kept.get("dataset"), Mapping):
        alike = {key: value for key, value in hands(kept["dataset"]).items() if key in kept["dataset"]}
        kept["dataset"] = {**kept["dataset"], **alike}
    return kept


def config_sha256(config: Mapping[str, Any]) -> str:
    """Hash the keys of a resolved config that change the result, by SHA-256."""
    return _sha256(_text(config))


def was_made_with(config: Mapping[str, Any], digest: str) -> bool:
    """Whether a hash can be that of a stored config.

    Believes a config that refers to other values (``${optimizer.lr}``): its hash is of the resolved one.
    """
    text = _text(config)
    return "${" in text or _sha256(text) == digest


def _text(config: Mapping[str, Any]) -> str:
    """What is hashed of a config."""
    return json.dumps(computing(config), sort_keys=True, default=str)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
