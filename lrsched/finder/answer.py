"""The answer of a finder, and ``find.json``, which holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrsched.errors import storage
from lrsched.records import write_json

FILE = "find.json"


@dataclass(frozen=True)
class Candidate:
    """A rate that was tried.

    Args:
        lr: the rate.
        horizon: updates until the loss was looked at.
        seed: of the run.
        loss: what it came to; not finite where it diverged.
    """

    lr: float
    horizon: int
    seed: int
    loss: float


@dataclass(frozen=True)
class Answer:
    """What was found.

    Args:
        method: of the finder.
        suggestion: the rate.
        override: to paste.
        candidates: every rate that was tried.
        cost_steps: updates that it took.
        more: what this method alone tells, by its name in the file.
    """

    method: str
    suggestion: float
    override: str
    candidates: list[Candidate]
    cost_steps: int
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def content(self) -> dict[str, Any]:
        """What the file holds."""
        first = {"method": self.method, "suggestion": self.suggestion, "override": self.override}
        return {**first, **self.more, "cost_steps": self.cost_steps, "candidates": [vars(c) for c in self.candidates]}

    def write(self, folder: Path) -> Path:
        """Write the file, the whole or nothing; gives its path.

        Raises:
            StorageError: the file system refused.
        """
        path = folder / FILE
        with storage(f"{path} cannot be written"):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, self.content())
        return path


def rounded(rate: float) -> float:
    """A rate as it is suggested, with three digits.

    >>> rounded(0.0123456), rounded(1234.5)
    (0.0123, 1230.0)
    """
    return float(f"{rate:.3g}")


def override_of(rate: float, group: str | None = None, *, scaled: bool = False) -> str:
    """The override that sets the rate that was looked for.

    Args:
        rate: the rate.
        group: of parameters; None: all that have no rate of their own.
        scaled: the group's rate was a multiple of ``optimizer.lr``.

    >>> override_of(0.0123), override_of(1.0, "head")
    ('optimizer.lr=0.0123', '++optimizer.groups.head.lr=1.0')
    """
    if group is None:
        return f"optimizer.lr={rate}"
    here = f"optimizer.groups.{group}"
    return f"++{here}.lr={rate}" + (f" {here}.lr_scale=null" if scaled else "")
