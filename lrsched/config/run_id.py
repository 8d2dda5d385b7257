"""Name runs by their configs: equal configs have equal ids, however they were composed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import accumulate

from lrsched.config.digest import NEUTRAL, NEUTRAL_WITHIN

DIGITS = 8
"""Digits of the config's hash in a run id."""


def id_of(overrides: Sequence[str], digest: str, first: Collection[str] = ()) -> str:
    """Make the id of a run: readable overrides, and eight digits of the config's hash.

    Holds ``[A-Za-z0-9._-]`` alone, so that the path can be pasted into an override.

    Args:
        overrides: of the run, as typed.
        digest: hash of its config.
        first: keys to name first: those in which the runs of the sweep differ.
    """
    return "-".join(filter(None, [readable(overrides, first), digest[:DIGITS]]))


def key_of(override: str) -> str:
    """Find the key that an override sets.

    >>> key_of("+scheduler.also.momentum=same")
    'scheduler.also.momentum'
    """
    return override.lstrip("+~").partition("=")[0]


def readable(overrides: Sequence[str], first: Collection[str] = (), longest: int = 80) -> str:
    """Write overrides as a file name: as many as fit, those of the keys in ``first`` before the others.

    >>> readable(["scheduler=torch/StepLR", "+optimizer.lr=0.1", "name=x", "dataset.root=/data"])
    'scheduler-torch-StepLR_optimizer.lr-0.1'
    >>> readable(["trainer.epochs=10", "seed=1"], first=["seed"])
    'seed-1_trainer.epochs-10'
    >>> readable(["optimizer.lr=-1"])
    'optimizer.lr--1'
    """
    shown = [item.lstrip("+~") for item in overrides if not is_neutral(key_of(item))]
    shown.sort(key=lambda item: key_of(item) not in first)
    plain = [item.replace("e+", "e") for item in shown]  # 1e+30 becomes 1e30: as 1e-30 it would be another number
    words = [re.sub(r"[^A-Za-z0-9.]+", _dash, item).strip("-.") for item in plain]
    ends = accumulate(words[1:], "{}_{}".format, initial=words[0][:longest].rstrip("-_.")) if words else ()
    return max((text for text in ends if len(text) <= longest), key=len, default="")


def _dash(strange: re.Match[str]) -> str:
    """Replace letters that a name must not have by a dash, and a minus sign by a second one."""
    return "--" if strange[0].endswith("=-") else "-"


def is_neutral(key: str) -> bool:
    """Whether a key changes nothing that a run computes."""
    group, _, name = key.partition(".")
    return group in NEUTRAL or name in NEUTRAL_WITHIN.get(group, ())
