"""The names that PyTorch, Transformers, Lightning and timm give to what is a key here."""

from __future__ import annotations

from collections.abc import Iterable

from lrsched.errors import nearest

THEIRS: dict[str, tuple[str, ...]] = {
    "scheduler.warmup": (
        "lr_warmup_epochs",
        "lr_warmup_steps",
        "num_warmup_steps",
        "warm_up",
        "warmup_epochs",
        "warmup_iters",
        "warmup_length",
        "warmup_proportion",
        "warmup_ratio",
        "warmup_steps",
        "warmup_t",
    ),
    "scheduler.warmup_start": ("lr_warmup_decay", "warmup_factor", "warmup_init_lr", "warmup_lr", "warmup_lr_init"),
    "scheduler.warmup_shape": ("lr_warmup_method", "warmup_method", "warmup_type"),
    "scheduler.final": (
        "alpha_f",
        "end_factor",
        "end_lr",
        "eta_min",
        "final_lr",
        "lr_end",
        "lr_min",
        "min_lr",
        "min_lr_rate",
        "min_lr_ratio",
    ),
    "scheduler.every": ("decay_epochs", "decay_steps", "decay_t", "step_size"),
    "scheduler.decay": ("anneal_epochs", "decay_epochs", "decay_ratio", "decay_steps", "num_decay_steps"),
    "scheduler.gamma": ("decay_rate", "factor", "lr_gamma"),
    "scheduler.milestones": ("boundaries", "decay_milestones", "lr_steps", "steps"),
    "scheduler.first": ("T_0", "first_decay_steps", "t_initial"),
    "scheduler.mult": ("T_mult", "cycle_mul", "t_mul"),
    "scheduler.peak_decay": ("cycle_decay", "m_mul"),
    "scheduler.cycles": ("cycle_limit", "num_cycles"),
    "scheduler.rise": ("pct_start",),
    "scheduler.start": ("div_factor",),
    "scheduler.end": ("final_div_factor",),
    "scheduler.anneal": ("anneal_strategy",),
    "scheduler.up": ("step_size_up",),
    "scheduler.down": ("step_size_down",),
    "scheduler.low": ("base_lr",),
    "scheduler.factor": ("gamma",),
    "optimizer.lr": ("base_lr", "blr", "initial_lr", "learning_rate", "lr", "max_lr", "peak_lr"),
    "optimizer.weight_decay": ("wd", "weight_decay"),
    "optimizer.momentum": ("momentum",),
    "optimizer.layer_decay": ("layer_decay", "llrd"),
    "trainer.epochs": ("T_max", "epochs", "max_epochs", "n_epochs", "num_epochs", "num_train_epochs"),
    "trainer.steps": (
        "max_iter",
        "max_iters",
        "max_steps",
        "num_steps",
        "num_training_steps",
        "total_iters",
        "total_steps",
        "train_steps",
    ),
    "trainer.accumulate": (
        "accum_iter",
        "accumulate_grad_batches",
        "grad_accum_steps",
        "grad_accumulation",
        "gradient_accumulation",
        "gradient_accumulation_steps",
    ),
    "trainer.clip_norm": (
        "clip",
        "clip_grad",
        "clip_grad_norm",
        "grad_clip",
        "gradient_clip",
        "gradient_clip_val",
        "max_grad_norm",
        "max_norm",
    ),
    "trainer.precision": ("amp", "bf16", "dtype", "fp16", "mixed_precision"),
    "trainer.log_every": ("log_every_n_steps", "log_interval", "logging_steps", "print_freq"),
    "trainer.evaluate_every": (
        "check_val_every_n_epoch",
        "eval_every",
        "eval_interval",
        "eval_steps",
        "evaluation_strategy",
        "val_check_interval",
        "val_every",
    ),
    "trainer.early_stop": ("early_stopping",),
    "trainer.early_stop.patience": ("early_stopping_patience",),
    "checkpoint.every": ("checkpoint_every", "save_every", "save_interval", "save_steps"),
    "checkpoint.keep": ("save_top_k", "save_total_limit"),
    "dataset.batch_size": (
        "batch_size",
        "bs",
        "per_device_train_batch_size",
        "train_batch_size",
    ),
    "dataset.eval_batch_size": ("eval_batch_size", "per_device_eval_batch_size", "test_batch_size", "val_batch_size"),
    "dataset.root": ("data_dir", "data_path", "root"),
    "task.label_smoothing": ("label_smoothing", "label_smoothing_factor", "smoothing"),
    "average": ("ema", "model_ema", "swa"),
    "resume": ("ckpt_path", "resume_from", "resume_from_checkpoint"),
    "init_from": ("pretrained", "weights"),
    "seed": ("random_state", "torch_seed"),
}
"""Their names for each key, exactly as they write them."""


def nearest_key(name: str, known: Iterable[str], *, anywhere: bool = True) -> str:
    """A remedy that names the key that is meant: that of a peer's name, or the one that is spelt most alike.

    Args:
        name: of the key that there is not, alone or with its group.
        known: what there is in its place, written like it.
        anywhere: a key of another group may be meant, too.

    >>> nearest_key("num_warmup_steps", ["warmup", "warmup_start"])
    "did you mean 'warmup'?"
    >>> nearest_key("trainer.learning_rate", ["trainer.epochs"])
    "did you mean 'optimizer.lr'?"
    >>> nearest_key("warmup_stat", ["warmup", "warmup_start"])
    "did you mean 'warmup_start'?"
    """
    words, (group, _, last) = set(known), name.rpartition(".")
    meant = [key for key, names in THEIRS.items() if last in names]
    here = [word for key in meant for word in sorted(words) if _names(key, word, group)]
    elsewhere = [key for key in meant if key != name and ("scheduler" in words or not key.startswith("scheduler."))]
    found = here or (elsewhere if anywhere else [])
    return f"did you mean {found[0]!r}?" if found else nearest(name, words)


def _names(key: str, word: str, group: str) -> bool:
    """Whether a known word, below this group where it is written alone, is this key."""
    return word in (key, key.partition(".")[2]) and (not group or word.startswith(f"{group}."))
