"""Names and hashes of configs: equal configs have equal ids, whatever they were composed from."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.app.messages import complaint

NEUTRAL = ("hydra", "name", "resume", "device", "threads", "logger", "checkpoint", "sweep")
"""Root keys that do not change what a run computes (bit-exactness across devices is the fingerprint's matter)."""

DIGITS = 8
"""Of the config's hash, in a run id."""

NEUTRAL_WITHIN = {"dataset": ("root", "train_samples", "test_samples"), "trainer": ("progress", "profile")}


def config_sha256(config: Mapping[str, Any]) -> str:
    """SHA-256 of a resolved config without what does not change the result."""
    kept = {key: value for key, value in config.items() if key not in NEUTRAL}
    for group, names in NEUTRAL_WITHIN.items():
        if isinstance(kept.get(group), Mapping):
            kept[group] = {key: value for key, value in kept[group].items() if key not in names}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain dicts and lists, every interpolation resolved."""
    try:
        config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise complaint(error) from error
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def command() -> str:
    """How this process was called, for a line that can be typed: ``python train.py`` or ``lrsched train``."""
    program = sys.argv[0]
    return f"python {program}" if program.endswith(".py") else "lrsched train"


def run_id(*, _root_: DictConfig) -> str:
    """The folder name of a job whose sweeper gives it none: what ``${run_id:}`` stands for."""
    root = OmegaConf.to_container(_root_, resolve=False)
    assert isinstance(root, dict)
    overrides = [str(item) for item in root["hydra"]["overrides"]["task"]]
    own = OmegaConf.masked_copy(_root_, [str(key) for key in root if key != "hydra"])
    return id_of(overrides, config_sha256(plain(own)))


def id_of(overrides: Sequence[str], digest: str, first: Collection[str] = ()) -> str:
    """The id of a run: readable overrides, and eight digits of the config's hash.

    Made of ``[A-Za-z0-9._-]`` alone, so that the path can be pasted back into an override.

    Args:
        overrides: that it was asked for with.
        digest: hash of its config.
        first: keys to name first: those in which the runs of the sweep differ.
    """
    return "-".join(filter(None, [readable(overrides, first), digest[:DIGITS]]))


def key_of(override: str) -> str:
    """The key that an override sets.

    >>> key_of("+scheduler.also.momentum=same")
    'scheduler.also.momentum'
    """
    return override.lstrip("+~").partition("=")[0]


def readable(overrides: Sequence[str], first: Collection[str] = (), longest: int = 80) -> str:
    """Overrides as a file name: as many as fit into it, those of the keys in ``first`` before the others.

    >>> readable(["scheduler=torch/StepLR", "+optimizer.lr=0.1", "name=x", "dataset.root=/data"])
    'scheduler-torch-StepLR_optimizer.lr-0.1'
    >>> readable(["trainer.epochs=10", "seed=1"], first=["seed"])
    'seed-1_trainer.epochs-10'
    >>> readable(["optimizer.lr=-1"])
    'optimizer.lr--1'
    """
    shown = [item.lstrip("+~") for item in overrides if not is_neutral(key_of(item))]
    shown.sort(key=lambda item: key_of(item) not in first)
    plain = [item.replace("e+", "e") for item in shown]  # 1e+30 is 1e30, and must not read like 1e-30
    words = [re.sub(r"[^A-Za-z0-9.]+", _dash, item).strip("-.") for item in plain]
    ends = accumulate(words[1:], "{}_{}".format, initial=words[0][:longest].rstrip("-_.")) if words else ()
    return max((text for text in ends if len(text) <= longest), key=len, default="")


def _dash(strange: re.Match[str]) -> str:
    """For letters that a name must not have: a dash, and a second one for a sign."""
    return "--" if strange[0].endswith("=-") else "-"


def is_neutral(key: str) -> bool:
    """Whether a key changes nothing that a run computes."""
    group, _, name = key.partition(".")
    return group in NEUTRAL or name in NEUTRAL_WITHIN.get(group, ())
