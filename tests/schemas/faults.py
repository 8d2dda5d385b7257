"""Faults of key, type, range and choice in YAML files, which the command line reports, too."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A wrong file.

    Args:
        group: of the file.
        text: what it holds, without what makes it one of its group.
        place: where the schema finds the fault.
        words: what the command line says.
    """

    group: str
    text: str
    place: str
    words: str


SGD, ADAMW = "_target_: torch.optim.SGD\nlr: 0.1\n", "_target_: torch.optim.AdamW\nlr: 0.1\n"
COSINE = "defaults: [_schedule, _self_]\n_target_: lrsched.schedules.Cosine\n"
STEP_LR = "_target_: torch.optim.lr_scheduler.StepLR\n"
MLP = "_target_: lrsched.models.MLP\n"
DATA = "defaults: [_dataset, _self_]\n_target_: lrsched.data.Synthetic\n"
CHOOSE = "defaults:\n  - override /%s\n"

KEYS = [
    Fault("experiment", "sede: 3", "", "sede: there is no such key (in experiment/fault.yaml); did you mean 'seed'?"),
    Fault("experiment", "trainer: {epoch: 3}", "trainer", "trainer.epoch"),
    Fault(
        "experiment", "trainer: {early_stop: {patiense: 3}}", "trainer.early_stop", "did you mean 'trainer.early_stop"
    ),
    Fault("experiment", "checkpoint: {keeep: 3}", "checkpoint", "did you mean 'checkpoint.keep'?"),
    Fault("experiment", "sweep: {job: 2}", "sweep", "sweep.job"),
    Fault("experiment", "optimizer: {groups: {head: {params: x, lrr: 1}}}", "optimizer.groups.head", "groups.head.lrr"),
    Fault("experiment", f"{CHOOSE % 'model: mlp'}model: {{hiden: [3]}}", "model", "model.hiden"),
    Fault("experiment", "scheduler: {warmpu: 5%}", "scheduler", "scheduler.warmpu"),
    Fault("scheduler", f"{COSINE}powr: 1", "", "Cosine takes no such argument; did you mean 'power'?"),
    Fault("scheduler", f"{STEP_LR}step_size: 2\ngama: 0.1", "", "StepLR takes no such argument; did you mean 'gamma'?"),
    Fault(
        "scheduler",
        f"{COSINE}also: {{momentum: {{_target_: lrsched.schedules.Linear, finale: 3}}}}",
        "also.momentum",
        "also.momentum.finale",
    ),
    Fault("optimizer", f"{SGD}momentun: 0.9", "", "SGD takes no such argument; did you mean 'momentum'?"),
    Fault("model", f"{MLP}hiden: [3]", "", "MLP takes no such argument; did you mean 'hidden'?"),
    Fault("model", f"{MLP}classes: 3", "", "MLP takes no such argument"),
    Fault("dataset", f"{DATA}sampels: 5", "", "Synthetic takes no such argument; did you mean 'samples'?"),
    Fault("dataset", f"{DATA}augment: {{flipp: true}}", "augment", "augment.flipp"),
    Fault("logger", "mine: {_target_: lrsched.loggers.CSV, folder: x}", "mine", "CSV takes no such argument"),
    Fault("average", "_target_: lrsched.averages.Ema\nhalflife: 5%", "", "Ema takes no such argument"),
    Fault(
        "task", "_target_: lrsched.tasks.Classification\nsmoothing: 0.1", "", "Classification takes no such argument"
    ),
]
TYPES = [
    Fault("experiment", "seed: zero", "seed", "seed=zero: must be a whole number"),
    Fault("experiment", "seed: null", "seed", "seed=null: must have a value"),
    Fault("experiment", "trainer: {epochs: [3]}", "trainer.epochs", "trainer.epochs"),
    Fault("experiment", "trainer: {clip_norm: true}", "trainer.clip_norm", "trainer.clip_norm=true: must be a number"),
    Fault("experiment", "trainer: {log_every: 5}", "trainer.log_every", "trainer.log_every=5: a duration carries its"),
    Fault("experiment", "trainer: {log_every: null}", "trainer.log_every", "trainer.log_every=null: must have a value"),
    Fault("experiment", "checkpoint: {allow_change: seed}", "checkpoint.allow_change", "checkpoint.allow_change"),
    Fault("experiment", "trainer: 3", "trainer", "trainer=3: must be a mapping of epochs, steps"),
    Fault(
        "experiment",
        "trainer: {early_stop: 5}",
        "trainer.early_stop",
        "early_stop=5: must be a mapping of monitor, mode",
    ),
    Fault("scheduler", f"{COSINE}warmup: 5", "warmup", "scheduler.warmup=5: a duration carries its unit"),
    Fault("scheduler", f"{COSINE}power: much", "power", "scheduler.power=much: must be a number"),
    Fault("optimizer", f"{SGD}nesterov: 3", "nesterov", "optimizer.nesterov=3: must be true or false"),
    Fault("optimizer", f"{ADAMW}betas: 0.9", "betas", "optimizer.betas=0.9: must be a list of 2"),
    Fault("optimizer", f"{ADAMW}betas: [a, b]", "betas.0", "optimizer.betas=[a,b]: must be a list of 2"),
    Fault("model", f"{MLP}hidden: 128", "hidden", "model.hidden=128: must be a list"),
    Fault("dataset", f"{DATA}batch_size: 16.5", "batch_size", "dataset.batch_size=16.5: must be a whole number"),
]
RANGES = [
    Fault("experiment", "seed: -1", "seed", "seed=-1: must be at least 0"),
    Fault("experiment", "threads: 0", "threads", "threads=0: must lie between 1 and 1024"),
    Fault("experiment", "trainer: {steps: 0}", "trainer.steps", "trainer.steps=0: must be at least 1"),
    Fault("experiment", "trainer: {clip_norm: 0}", "trainer.clip_norm", "must be a finite number above 0"),
    Fault("experiment", "trainer: {evaluate_every: 0.5st}", "trainer.evaluate_every", "steps are whole numbers"),
    Fault("experiment", "checkpoint: {every: 5xy}", "checkpoint.every", "checkpoint.every=5xy: a duration carries its"),
    Fault("optimizer", f"{SGD}momentum: 1", "momentum", "optimizer.momentum=1: must be at least 0 and below 1"),
    Fault("optimizer", f"{SGD}layer_decay: 2", "layer_decay", "optimizer.layer_decay=2: must be a number in (0, 1]"),
    Fault("optimizer", f"{ADAMW}betas: [1, 0.9]", "betas.0", "optimizer.betas=[1,0.9]: must be at least 0 and below 1"),
    Fault("scheduler", f"{STEP_LR}step_size: 2\ngamma: -1", "gamma", "scheduler.gamma=-1: must be at least 0"),
    Fault("dataset", f"{DATA}validation: 1.5", "validation", "dataset.validation=1.5: is a part of the data"),
    Fault("dataset", f"{DATA}augment: {{mixup: 0.001}}", "augment.mixup", "from 0.01 to 100, or 0: not mixed"),
    Fault("dataset", f"{DATA}folds: 1", "folds", "dataset.folds=1: must be at least 2"),
]
CHOICES = [
    Fault("experiment", CHOOSE % "scheduler: cosin", "defaults.0.override /scheduler", "did you mean 'cosine'?"),
    Fault(
        "experiment", CHOOSE % "logger: [csv, tensorbord]", "defaults.0.override /logger", "did you mean 'tensorboard'?"
    ),
    Fault("experiment", "trainer: {precision: fp64}", "trainer.precision", "must be one of fp32, bf16, fp16"),
    Fault(
        "experiment", "trainer: {on_nonfinite: ignore}", "trainer.on_nonfinite", "must be one of stop, skip, rollback"
    ),
    Fault("experiment", "checkpoint: {mode: most}", "checkpoint.mode", "must be one of min, max"),
    Fault("scheduler", f"{COSINE}warmup_shape: line", "warmup_shape", "did you mean 'linear'?"),
    Fault("scheduler", f"{COSINE}past: bounce", "past", "scheduler.past=bounce: must be one of hold, raise"),
    Fault("scheduler", "_target_: lrsched.schedules.Cosin", "_target_", "there is no Cosin in lrsched.schedules"),
    Fault("scheduler", f"{STEP_LR}step_size: 2\ninterval: day", "interval", "must be one of epoch, step, evaluation"),
    Fault("model", f"{MLP}activation: rel", "activation", "did you mean 'relu'?"),
    Fault("dataset", "defaults: [_datasets, _self_]", "defaults.0", "_datasets"),
]
FAULTS = [*KEYS, *TYPES, *RANGES, *CHOICES]
