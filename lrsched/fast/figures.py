"""What was timed, and which values follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from lrsched.config.check import read
from lrsched.config.rules import one_of, ruled, within
from lrsched.config.schema import SPEED
from lrsched.errors import UNSET, ConfigError

MARGIN = {"precision": 0.85, "channels_last": 0.90, "fused": 0.90, "tf32": 0.90, "compile": 0.90}
"""A value is taken that makes an update take at most this part of its time: the simpler setting else, so that the noise
of a clock decides nothing."""

WORTH = 300.0
"""Seconds of updates from which on a compilation is tried at all."""

NEVER = float(2**31)
"""Milliseconds, and seconds, of what could not be timed."""

COMPILED = "compiled"
"""How one says a compiled model."""

REPAID = 2.0
"""Times that a run must save the seconds of its compilation."""


@dataclass
class Tried:
    """Values that were timed: milliseconds of an update."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    ms: float = ruled(0.0, within(0, NEVER, "milliseconds of an update"))

    @property
    def words(self) -> str:
        """The values as one says them; the plain setting is its precision.

        >>> Tried({"precision": "bf16", "channels_last": True}).words, Tried({"precision": "fp32"}).words
        ('bf16, channels_last', 'fp32')
        """
        on = [name for name, value in self.values.items() if name != "precision" and value is True]
        precision = self.values.get("precision", SPEED["precision"])
        if precision != SPEED["precision"]:
            return ", ".join([precision, *on])
        return ", ".join(on) or ("the plain setting" if "precision" not in self.values else precision)


@dataclass
class Figures:
    """What was timed for one work.

    Args:
        chosen: the values of the keys that are asked for, ``compile`` aside.
        tried: in their order; the first is the plain setting, and ``chosen`` is among them. Empty: none could be timed.
        ms: of an update with the chosen values, on a CPU by one thread.
        steps_per_epoch: of the data.
        device: the kind of it.
        threads: of the run, among which an update is shared.
        compiled_ms, compile_seconds: of an update of the compiled model, and of its compilation; None: not tried.
        failed: settings that could not be timed, in words, each with the reason.
    """

    chosen: dict[str, Any]
    tried: list[Tried]
    ms: float
    steps_per_epoch: int
    device: str
    threads: int = 1
    compiled_ms: float | None = None
    compile_seconds: float | None = None
    failed: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def untimed(cls, asked: Iterable[str], reason: str) -> Figures:
        """The plain setting, which could not be timed."""
        plain = {name: SPEED[name] for name in asked if name != "compile"}
        return cls(plain, [], 0.0, 0, "", failed={Tried(plain).words: reason})

    def steps(self, trainer: Mapping[str, Any]) -> int:
        """The updates of a run."""
        return trainer["steps"] if trainer.get("steps") is not None else trainer["epochs"] * self.steps_per_epoch

    def may_compile(self, asked: Sequence[str], steps: int) -> bool:
        """Whether a compilation is worth a try that was not made yet."""
        return "compile" in asked and self.compiled_ms is None and self._is_long(steps)

    def _is_long(self, steps: int) -> bool:
        return self.ms * steps / self.threads > 1000 * WORTH

    def values(self, asked: Sequence[str], steps: int) -> dict[str, Any]:
        """What a run of so many updates is given for each key that is asked for.

        It does not depend on whether a compilation was tried meanwhile, for a longer run.
        """
        repays = False
        if self.compiled_ms is not None and self.compile_seconds is not None and self._is_long(steps):
            saved = (self.ms - self.compiled_ms) * steps / self.threads / 1000
            faster = self.compiled_ms <= MARGIN["compile"] * self.ms
            repays = faster and saved > REPAID * self.compile_seconds
        found = {**self.chosen, "compile": repays}
        return {name: found[name] for name in asked}

    def told(self, values: Mapping[str, Any]) -> str:
        """The choice in a sentence, with the figures."""
        if not self.tried:
            return f"{_taking(values)}: no update could be timed ({'; '.join(self.failed.values())})"
        ms = self.compiled_ms if values.get("compile") and self.compiled_ms is not None else self.ms
        same = {} if values.get("compile") else self.chosen  # the chosen ones without a compilation are told too
        others = [f"{each.words} {each.ms:.3g}" for each in self.tried if not each.values.items() <= same.items()]
        others += [f"{words} failed: {reason}" for words, reason in self.failed.items()]
        known = self.compiled_ms is not None and self.compile_seconds is not None and COMPILED not in self.failed
        if known and not values.get("compile"):
            others.append(f"{COMPILED} {self.compiled_ms:.3g} after {self.compile_seconds:.0f} s")
        beside = f" ({'; '.join(others)})" if others else ""
        return f"{_taking(values)}: {ms:.3g} ms an update{beside}"

    def plain(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def of(cls, content: Any, key: str) -> Figures:
        """As :meth:`plain` gave it.

        Raises:
            ConfigError: it was changed.
        """
        if not isinstance(content, Mapping):
            raise ConfigError(key, content, "must be a mapping")
        for item in fields(_Stored):
            if item.default is MISSING and item.default_factory is MISSING and item.name not in content:
                raise ConfigError(f"{key}.{item.name}", UNSET, "is missing")
        found = read(_Stored, content, key)
        read(_Chosen, found.chosen, f"{key}.chosen")
        for i, each in enumerate(found.tried):
            read(_Chosen, each.values, f"{key}.tried[{i}].values")
        for words, reason in found.failed.items():
            if not isinstance(reason, str):
                raise ConfigError(f"{key}.failed.{words}", reason, "must be text")
        if (found.compiled_ms is None) != (found.compile_seconds is None):
            raise ConfigError(f"{key}.compiled_ms", found.compiled_ms, "comes with compile_seconds, or both are null")
        if found.chosen.get("tf32") and found.device != "cuda":
            rule = f"is an arithmetic of NVIDIA's GPUs, and this was timed on {found.device}"
            raise ConfigError(f"{key}.chosen.tf32", True, rule)
        return cls(**vars(found))


def _taking(values: Mapping[str, Any]) -> str:
    """Who takes what: a few keys by their names.

    >>> _taking({"precision": "fp32", "fused": True})
    'trainer.precision=auto takes fp32, trainer.fused=auto takes true'
    """
    if 2 * len(values) > len(SPEED):
        return f"trainer=fast takes {Tried(dict(values)).words}"
    return ", ".join(f"trainer.{name}=auto takes {str(value).lower()}" for name, value in values.items())


# What is read from a file.


@dataclass
class _Chosen:
    precision: str = ruled("fp32", one_of("fp32", "bf16", "fp16"))
    channels_last: bool = False
    fused: bool = False
    tf32: bool = False
    keep_memory: bool = False


@dataclass
class _Stored:
    chosen: dict[str, Any]
    tried: list[Any] = field(metadata={"items": Tried})
    ms: float = field(metadata={"rule": within(0, NEVER, "milliseconds of an update")})
    steps_per_epoch: int = field(metadata={"rule": within(0, 2**53, "updates")})
    device: str
    threads: int = ruled(1, within(1, 1024, "threads"))
    compiled_ms: float | None = ruled(None, within(0, NEVER, "milliseconds of an update"))
    compile_seconds: float | None = ruled(None, within(0, NEVER, "seconds"))
    failed: dict[str, Any] = field(default_factory=dict[str, Any])
