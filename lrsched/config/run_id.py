"""Names of configs: equal configs have equal ids, whatever they were composed from."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import accumulate

from lrsched.config.digest import NEUTRAL, NEUTRAL_WITHIN

DIGITS = 8
"""Of the config's hash, in a run id."""


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
