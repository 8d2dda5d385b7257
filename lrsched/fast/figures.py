"""What was timed, and which values follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lrsched.config import schema
from lrsched.config.check import read
from lrsched.config.schema import SPEED

MARGIN = {"precision": 0.85, "channels_last": 0.90, "fused": 0.90, "tf32": 0.90, "compile": 0.90}
"""A value is taken that makes an update take at most this part of its time: the simpler setting else, so that the noise
of a clock decides nothing."""

WORTH = 300.0
"""Seconds of updates from which on a compilation is tried at all."""

REPAID = 2.0
"""Times that a run must save the seconds of its compilation."""


@dataclass
class Tried:
    """Values that were timed: milliseconds of an update."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    ms: float = 0.0

    @property
    def words(self) -> str:
        """The values as one says them; the plain setting is its precision.

        >>> Tried({"precision": "bf16", "channels_last": True, "fused": False}).words, Tried({}).words
        ('bf16, channels_last', 'fp32')
        """
        on = [name for name, value in self.values.items() if name != "precision" and value is True]
        precision = self.values.get("precision", SPEED["precision"])
        return ", ".join([precision, *on] if precision != SPEED["precision"] or not on else on)


@dataclass
class Figures:
    """What was timed for one work.

    Args:
        chosen: the values of the keys that are asked for, ``compile`` aside.
        tried: in their order; the first is the plain setting, and ``chosen`` is among them.
        ms: of an update with the chosen values, on a CPU by one thread.
        steps_per_epoch: of the data.
        threads: of the run, among which an update is shared.
        compiled_ms, compile_seconds: of an update of the compiled model, and of its compilation; None: not tried.
    """

    chosen: dict[str, Any]
    tried: list[Tried]
    ms: float
    steps_per_epoch: int
    threads: int = 1
    compiled_ms: float | None = None
    compile_seconds: float | None = None

    def steps(self, trainer: Mapping[str, Any]) -> int:
        """The updates of a run."""
        return trainer["steps"] if trainer.get("steps") is not None else trainer["epochs"] * self.steps_per_epoch

    def may_compile(self, asked: Sequence[str], steps: int) -> bool:
        """Whether a compilation is worth a try that was not made yet."""
        return "compile" in asked and self.compiled_ms is None and self.ms * steps / self.threads > 1000 * WORTH

    def values(self, asked: Sequence[str], steps: int) -> dict[str, Any]:
        """What a run of so many updates is given for each key that is asked for."""
        repays = False
        if self.compiled_ms is not None and self.compile_seconds is not None:
            saved = (self.ms - self.compiled_ms) * steps / self.threads / 1000
            faster = self.compiled_ms <= MARGIN["compile"] * self.ms
            repays = faster and saved > REPAID * self.compile_seconds
        found = {**self.chosen, "compile": repays}
        return {name: found[name] for name in asked}

    def told(self, values: Mapping[str, Any]) -> str:
        """The choice in a sentence, with the figures."""
        best = Tried(dict(values), self.ms)
        ms = self.compiled_ms if values.get("compile") and self.compiled_ms is not None else self.ms
        same = {} if values.get("compile") else self.chosen  # the chosen ones without a compilation are told too
        others = [f"{each.words} {each.ms:.3g}" for each in self.tried if not each.values.items() <= same.items()]
        if self.compiled_ms is not None and self.compile_seconds is not None and not values.get("compile"):
            others.append(f"compiled {self.compiled_ms:.3g} after {self.compile_seconds:.0f} s")
        beside = f" ({'; '.join(others)})" if others else ""
        return f"trainer=fast takes {best.words}: {ms:.3g} ms an update{beside}"

    def plain(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any], key: str) -> Figures:
        """As :meth:`plain` gave it.

        Raises:
            ConfigError: it was changed.
        """
        found = read(_Stored, content, key)
        tried = [read(Tried, each, f"{key}.tried") for each in found.tried]
        read(schema.TrainerConfig, found.chosen, f"{key}.chosen")
        return cls(**{**vars(found), "tried": tried})


@dataclass
class _Stored:
    chosen: dict[str, Any]
    tried: list[Any]
    ms: float
    steps_per_epoch: int
    threads: int = 1
    compiled_ms: float | None = None
    compile_seconds: float | None = None
