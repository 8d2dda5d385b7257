"""Define lrsched's own keys: their types, defaults and ranges.

The YAML files in ``conf/`` say the same, with comments that teach; a test compares the two. The arguments of a
group's ``_target_`` are not here: the signature of the class is their schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Optional

from lrsched.config.rules import (
    ABOVE_0,
    ALPHA,
    HELD_OUT,
    LAYER_DECAY,
    at_least,
    auto_or_duration,
    auto_or_threads,
    duration,
    expression,
    null_or_duration,
    one_of,
    power_of_two,
    ruled,
    whole_number,
    within,
    yes_no,
    yes_no_or_auto,
)
from lrsched.horizon import POLICIES

GROUPS = ("scheduler", "optimizer", "model", "dataset", "task")
"""Groups that name a class, their ``_target_``."""

OPEN = (*GROUPS, "average")
"""Groups whose keys depend on the class that they name; an average may be none."""

AUTO = "auto"
"""The value of a key of :data:`SPEED` that is chosen by timing, once, before a run begins."""

SPEED = {
    "precision": "fp32",
    "channels_last": False,
    "compile": False,
    "fused": False,
    "tf32": False,
    "keep_memory": False,
}
"""Keys of ``trainer`` that make an update faster, and their defaults."""

ASKED = {"rule": yes_no_or_auto}

FROM_TEXT = {"threads": whole_number, **{f"trainer.{name}": yes_no for name in SPEED if name != "precision"}}
"""How the text of a key is read that takes a word beside its type, and so has no type of OmegaConf's."""

# OmegaConf 2.3 reads these annotations too, and does not know int | None inside a container.


@dataclass
class EarlyStop:
    """Ends a run when a metric has not improved for ``patience`` evaluations, of those from ``start`` on."""

    monitor: str = "val/loss"
    mode: Optional[str] = ruled(None, one_of("min", "max"))
    patience: Optional[int] = ruled(None, at_least(1))
    threshold: float = ruled(0.0, at_least(0))
    start: str = ruled("0st", duration)


@dataclass
class Extension:
    """A change of length: planned for ``epochs`` or ``steps`` until step ``at``, extended by ``policy`` from there."""

    at: int = ruled(0, at_least(0))
    policy: str = ruled("keep", one_of(*POLICIES))
    epochs: int = ruled(1, at_least(1))
    steps: Optional[int] = ruled(None, at_least(1))


@dataclass
class TrainerConfig:
    """How long and how to train."""

    epochs: int = ruled(30, at_least(1))
    steps: Optional[int] = ruled(None, at_least(1))
    on_extend: Optional[str] = ruled(None, one_of(*POLICIES))
    extensions: list[Any] = field(default_factory=list[Any], metadata={"items": Extension})
    accumulate: int = ruled(1, at_least(1))
    clip_norm: Optional[float] = ruled(None, ABOVE_0)
    on_nonfinite: str = ruled("stop", one_of("stop", "skip", "rollback"))
    precision: str = ruled("fp32", one_of("fp32", "bf16", "fp16", AUTO))
    channels_last: Any = field(default=False, metadata=ASKED)
    compile: Any = field(default=False, metadata=ASKED)
    fused: Any = field(default=False, metadata=ASKED)
    tf32: Any = field(default=False, metadata=ASKED)
    keep_memory: Any = field(default=False, metadata=ASKED)
    processes: int = ruled(1, within(1, 4096, "each is a part of the machine"))
    lanes: Optional[int] = ruled(None, power_of_two(4096))
    log_every: str = ruled("20st", duration)
    evaluate_every: str = ruled("1ep", duration)
    show_every: Optional[str] = ruled("100%", null_or_duration)
    metrics: dict[str, Any] = field(default_factory=dict[str, Any])
    early_stop: EarlyStop = field(default_factory=EarlyStop)
    deterministic: bool = True
    progress: bool = True
    limit_batches: Optional[int] = ruled(None, at_least(1))
    limit_eval_batches: Optional[int] = ruled(None, at_least(1))
    overfit_batches: Optional[int] = ruled(None, at_least(1))
    profile: bool = False


@dataclass
class Change:
    """A change of settings at step ``at``: ``keys`` holds ``{key: [old, new]}``.

    ``config_sha256`` is the hash of the config before the change.
    """

    at: int = ruled(0, at_least(0))
    config_sha256: str = ""
    keys: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class CheckpointConfig:
    """When to save the run, which checkpoints to keep, and which keys a resumed run may change."""

    every: str = ruled("auto", auto_or_duration)
    keep: int = ruled(2, at_least(1))
    snapshots: Optional[int] = ruled(None, at_least(0))
    monitor: str = "val/loss"
    mode: Optional[str] = ruled(None, one_of("min", "max"))
    allow_change: list[str] = field(default_factory=list[str])
    inexact: bool = False
    changes: list[Any] = field(default_factory=list[Any], metadata={"items": Change})


@dataclass
class SweepConfig:
    """How to make the runs of a sweep."""

    jobs: Optional[int] = ruled(None, at_least(1))
    timeout: Optional[float] = ruled(None, ABOVE_0)
    fail_fast: bool = False
    share: bool = True
    zip: Any = False
    until: Optional[int] = ruled(None, at_least(1))


@dataclass
class Augmentation:
    """Random changes of training images."""

    crop: int = ruled(0, at_least(0))
    flip: bool = False
    rotate: float = ruled(0.0, within(0, 180, "the largest turn to either side, in degrees"))
    shear: float = ruled(0.0, within(0, 60, "the largest shear to either side, in degrees"))
    scale: float = ruled(0.0, within(0, 0.9, "0.2 makes an image 0.8 to 1.2 times as large"))
    shift: float = ruled(0.0, within(0, 1, "a part of width and height"))
    brightness: float = ruled(0.0, within(0, 1, "0.2 takes 0.8 to 1.2 times the brightness"))
    contrast: float = ruled(0.0, within(0, 1, "0.2 takes 0.8 to 1.2 times the contrast"))
    saturation: float = ruled(0.0, within(0, 1, "0.2 takes 0.8 to 1.2 times the saturation"))
    hue: float = ruled(0.0, within(0, 0.5, "the largest turn of the colour circle to either side"))
    cutout: int = ruled(0, at_least(0))
    erase: float = ruled(0.0, within(0, 1, "the probability that an image is covered in part"))
    mixup: float = ruled(0.0, ALPHA)
    cutmix: float = ruled(0.0, ALPHA)
    mask_fill: Optional[float] = None


@dataclass
class DatasetConfig:
    """The reserved keys of ``dataset``, which its class never sees."""

    train_samples: Optional[int] = ruled(None, at_least(1))
    test_samples: int = ruled(0, at_least(0))
    batch_size: int = ruled(128, at_least(1))
    eval_batch_size: int = ruled(1024, at_least(1))
    validation: float = ruled(0.1, HELD_OUT)
    test: float = ruled(0.2, HELD_OUT)
    split_seed: int = ruled(0, at_least(0))
    fold: Optional[int] = ruled(None, at_least(0))
    folds: int = ruled(5, at_least(2))
    augment: Augmentation = field(default_factory=Augmentation)


@dataclass
class ParameterGroup:
    """One entry of ``optimizer.groups``: settings for the parameters whose names match ``params``."""

    params: str = "???"
    lr: Optional[float] = ruled(None, at_least(0))
    lr_scale: Optional[float] = ruled(None, at_least(0))
    weight_decay: Optional[float] = ruled(None, at_least(0))
    freeze: bool = False


@dataclass
class OptimizerConfig:
    """The reserved keys of ``optimizer``, which its class never sees."""

    no_decay: bool = True
    layer_decay: Optional[float] = ruled(None, LAYER_DECAY)
    corrected_decay: Optional[str] = ruled(None, expression)
    groups: dict[str, Any] = field(default_factory=dict[str, Any], metadata={"values": ParameterGroup})


@dataclass
class NativeConfig:
    """The reserved keys of ``scheduler``, which a class in PyTorch's form never sees."""

    interval: str = ruled("epoch", one_of("epoch", "step", "evaluation"))
    monitor: str = "val/loss"


@dataclass
class RunConfig:
    """The whole config of a run."""

    seed: int = ruled(0, at_least(0))
    name: str = "???"
    resume: Optional[str] = None
    init_from: Optional[str] = None
    init_match: Optional[str] = ruled(None, expression)
    device: str = "auto"
    threads: Any = field(default="auto", metadata={"rule": auto_or_threads})
    optimizer: Any = "???"
    scheduler: Any = "???"
    task: Any = "???"
    model: Any = "???"
    dataset: Any = "???"
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    logger: Any = field(default_factory=dict[str, Any])
    average: Any = field(default_factory=dict[str, Any])


def names(schema: type) -> list[str]:
    """List the keys of a schema."""
    return [item.name for item in fields(schema)]
