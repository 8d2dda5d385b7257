"""The hash of a config: equal for configs that compute the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lrsched.config.versions import as_written_first

NEUTRAL = ("hydra", "name", "resume", "device", "threads", "logger", "checkpoint", "sweep")
"""Root keys that do not change what a run computes (bit-exactness across devices is the fingerprint's matter)."""

NEUTRAL_WITHIN = {"dataset": ("root", "train_samples", "test_samples"), "trainer": ("progress", "profile")}
"""Keys of groups that do not either."""


def computing(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without the keys that do not change the result, in the form that all versions share."""
    kept = {key: value for key, value in as_written_first(config).items() if key not in NEUTRAL}
    for group, names in NEUTRAL_WITHIN.items():
        if isinstance(kept.get(group), Mapping):
            kept[group] = {key: value for key, value in kept[group].items() if key not in names}
    return kept


def config_sha256(config: Mapping[str, Any]) -> str:
    """SHA-256 of a resolved config without what does not change the result."""
    return hashlib.sha256(json.dumps(computing(config), sort_keys=True, default=str).encode()).hexdigest()


def was_made_with(config: Mapping[str, Any], digest: str) -> bool:
    """Whether a hash can be that of a config as it is stored.

    One that refers to other values (``${optimizer.lr}``) has to be resolved first, and is believed.
    """
    return "${" in json.dumps(computing(config), default=str) or config_sha256(config) == digest
