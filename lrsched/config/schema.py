"""The keys of lrsched itself: their types, defaults and ranges.

The YAML files in ``conf/`` say the same with comments that teach; a test holds the two together.
What a group's ``_target_`` takes is not written here: its own signature is its schema.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Optional

from lrsched.errors import ConfigError, suggestion
from lrsched.horizon import POLICIES, parse

GROUPS = ("scheduler", "optimizer", "model", "dataset")
"""Groups that name a class, their ``_target_``."""

Rule = Callable[[str, Any], None]


def at_least(least: float) -> Rule:
    def rule(key: str, value: Any) -> None:
        if value is not None and not value >= least:
            raise ConfigError(key, value, f"must be at least {least}")

    return rule


def within(least: float, most: float) -> Rule:
    def rule(key: str, value: Any) -> None:
        if value is not None and not least <= value <= most:
            raise ConfigError(key, value, f"must lie between {least} and {most}")

    return rule


def above(bound: float) -> Rule:
    def rule(key: str, value: Any) -> None:
        if value is not None and not (bound < value < float("inf")):
            raise ConfigError(key, value, f"must be a finite number above {bound}")

    return rule


def fraction(key: str, value: Any) -> None:
    if not 0 <= value < 1:
        raise ConfigError(key, value, "is a fraction: at least 0 and below 1")


def part(key: str, value: Any) -> None:
    if value is not None and not 0 < value <= 1:
        raise ConfigError(key, value, "must be a number in (0, 1]", "0.75 makes each layer a quarter slower")


def held_out(key: str, value: Any) -> None:
    if not 0 < value < 1:
        raise ConfigError(key, value, "is a part of the data: above 0 and below 1", "0.1 holds out one sample in ten")


def duration(key: str, value: Any) -> None:
    parse(value, key)


def auto_or_duration(key: str, value: Any) -> None:
    if value != "auto":
        try:
            parse(value, key)
        except ConfigError as error:
            remedy = f"{error.remedy}, or auto" if error.remedy else "or give auto"
            raise ConfigError(error.key, error.value, error.rule, remedy) from error


def one_of(*words: str) -> Rule:
    def rule(key: str, value: Any) -> None:
        if value is not None and value not in words:
            raise ConfigError(key, value, f"must be one of {', '.join(words)}", suggestion(str(value), words))

    return rule


def ruled(default: Any, rule: Rule) -> Any:
    """A dataclass field with a rule that its value must obey."""
    return field(default=default, metadata={"rule": rule})


# omegaconf 2.3 reads these annotations too: Optional[int], not int | None, keeps them to what it knows.


@dataclass
class EarlyStop:
    """Ends a run when a metric has not improved for ``patience`` evaluations."""

    monitor: str = "val/loss"
    mode: str = ruled("min", one_of("min", "max"))
    patience: Optional[int] = ruled(None, at_least(1))
    threshold: float = ruled(0.0, at_least(0))


@dataclass
class Extension:
    """Until step ``at`` the run was planned for other ``epochs`` or ``steps``; then it went on by ``policy``."""

    at: int = ruled(0, at_least(0))
    policy: str = ruled("keep", one_of(*POLICIES))
    epochs: int = ruled(1, at_least(1))
    steps: Optional[int] = ruled(None, at_least(1))


@dataclass
class TrainerConfig:
    """How long and in what manner to train."""

    epochs: int = ruled(30, at_least(1))
    steps: Optional[int] = ruled(None, at_least(1))
    on_extend: Optional[str] = ruled(None, one_of(*POLICIES))
    extensions: list[Any] = field(default_factory=list, metadata={"items": Extension})
    accumulate: int = ruled(1, at_least(1))
    clip_norm: Optional[float] = ruled(None, above(0))
    on_nonfinite: str = ruled("stop", one_of("stop", "skip", "rollback"))
    precision: str = ruled("fp32", one_of("fp32", "bf16", "fp16"))
    label_smoothing: float = ruled(0.0, fraction)
    log_every: str = ruled("20st", duration)
    evaluate_every: str = ruled("1ep", duration)
    early_stop: EarlyStop = field(default_factory=EarlyStop)
    deterministic: bool = True
    progress: bool = True
    limit_batches: Optional[int] = ruled(None, at_least(1))
    limit_eval_batches: Optional[int] = ruled(None, at_least(1))
    overfit_batches: Optional[int] = ruled(None, at_least(1))
    profile: bool = False


@dataclass
class Change:
    """At step ``at`` the run was given other settings: ``keys`` says which, as ``{key: [old, new]}``.

    ``config_sha256`` is that of the config before.
    """

    at: int = ruled(0, at_least(0))
    config_sha256: str = ""
    keys: dict[str, Any] = field(default_factory=dict)


@dataclass
class CheckpointConfig:
    """When the run is saved, which checkpoints are kept, and what a resumed run may do differently."""

    every: str = ruled("auto", auto_or_duration)
    keep: int = ruled(2, at_least(1))
    monitor: str = "val/loss"
    mode: str = ruled("min", one_of("min", "max"))
    allow_change: list[str] = field(default_factory=list)
    inexact: bool = False
    changes: list[Any] = field(default_factory=list, metadata={"items": Change})


@dataclass
class SweepConfig:
    """How the runs of a sweep are made."""

    jobs: Optional[int] = ruled(None, at_least(1))
    timeout: Optional[float] = ruled(None, above(0))
    fail_fast: bool = False
    share: bool = True
    zip: Any = False
    until: Optional[int] = ruled(None, at_least(1))


@dataclass
class Augmentation:
    """Batched augmentation of training images."""

    crop: int = ruled(0, at_least(0))
    flip: bool = False


@dataclass
class DatasetConfig:
    """The keys of ``dataset`` that its class never sees."""

    train_samples: Optional[int] = ruled(None, at_least(1))
    test_samples: int = ruled(0, at_least(0))
    batch_size: int = ruled(128, at_least(1))
    eval_batch_size: int = ruled(1024, at_least(1))
    validation: float = ruled(0.1, held_out)
    test: float = ruled(0.2, held_out)
    split_seed: int = ruled(0, at_least(0))
    augment: Augmentation = field(default_factory=Augmentation)


@dataclass
class ParameterGroup:
    """One entry of ``optimizer.groups``: what the parameters whose names match have of their own."""

    params: str = "???"
    lr: Optional[float] = ruled(None, at_least(0))
    lr_scale: Optional[float] = ruled(None, at_least(0))
    weight_decay: Optional[float] = ruled(None, at_least(0))


@dataclass
class OptimizerConfig:
    """The keys of ``optimizer`` that its class never sees."""

    no_decay: bool = True
    layer_decay: Optional[float] = ruled(None, part)
    groups: dict[str, Any] = field(default_factory=dict)


@dataclass
class NativeConfig:
    """The keys of ``scheduler`` that a class in PyTorch's form never sees."""

    interval: str = ruled("epoch", one_of("epoch", "step", "evaluation"))
    monitor: str = "val/loss"


@dataclass
class RunConfig:
    """The whole config of a run."""

    seed: int = ruled(0, at_least(0))
    name: str = "???"
    resume: Optional[str] = None
    device: str = "auto"
    threads: Optional[int] = ruled(None, within(1, 1024))
    optimizer: Any = "???"
    scheduler: Any = "???"
    model: Any = "???"
    dataset: Any = "???"
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    logger: Any = field(default_factory=dict)


def names(schema: type) -> list[str]:
    """The keys of a schema."""
    return [item.name for item in fields(schema)]
