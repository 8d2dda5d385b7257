"""``lrsched preview resume=RUN``: the rows that the whole run has in the end, to the last bit, whatever changed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from tests.cli.test_preview import columns
from tests.helpers.cli import TINY, Ended

BASE = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "logger=none", "name=run", "checkpoint.every=100st")
RESUME = "resume=outputs/run"
SCHEDULERS = {
    "cosine": ("scheduler=cosine", "scheduler.warmup=5st"),
    "onecycle": ("scheduler=onecycle", "optimizer=adamw"),
    "sequence": (
        "scheduler=sequence",
        "scheduler.parts=[{schedule: {_target_: lrsched.schedules.Linear}, length: 7st}, "
        "{schedule: {_target_: lrsched.schedules.Cosine}, length: rest}]",
    ),
    "groups": ("scheduler=wsd", "optimizer.layer_decay=0.7", "model=mlp"),
    "class by epochs": ("scheduler=torch/StepLR", "scheduler.step_size=1", "scheduler.interval=epoch"),
    "class by steps": ("scheduler=torch/OneCycleLR", "scheduler.interval=step", "scheduler.total_steps=auto"),
    "class by evaluations": (
        "scheduler=torch/CosineAnnealingLR",
        "scheduler.interval=evaluation",
        "scheduler.T_max=auto",
        "trainer.evaluate_every=0.5ep",
    ),
    "composite": (
        "scheduler=torch/SequentialLR",
        "scheduler.milestones=[2]",
    ),
}
BATCH = ("dataset.batch_size=32",)
CHANGES = {
    "batch size": (BATCH,),
    "smaller batch": (("dataset.batch_size=10",),),
    "accumulation": (("trainer.accumulate=2",),),
    "limit": (("trainer.limit_batches=4",),),
    "twice": (("dataset.batch_size=10",), ("dataset.batch_size=32",)),
    "rate, then batch": (("optimizer.lr=0.02",), BATCH),
    "batch and rate": ((*BATCH, "optimizer.lr=0.02"),),
    "longer, then batch": (("trainer.epochs=6", "trainer.on_extend=keep"), BATCH),
    "batch, then longer": (BATCH, ("trainer.epochs=6", "trainer.on_extend=keep")),
    "batch and longer": ((*BATCH, "trainer.epochs=6", "trainer.on_extend=keep"),),
}
QUICK = [
    ("cosine", "twice", 9),
    ("onecycle", "batch, then longer", 9),
    ("class by evaluations", "batch size", 12),
    ("groups", "rate, then batch", 10),
]


def overrides(change: tuple[str, ...]) -> list[str]:
    keys = [word.partition("=")[0] for word in change if "trainer.epochs" not in word and "on_extend" not in word]
    return [*change, f"checkpoint.allow_change=[{','.join(keys)}]"]


def preview(run_cli: Callable[..., Ended], *words: str) -> tuple[dict[str, list[str]], Ended]:
    ended = run_cli(*words, "--csv", "preview.csv", command="preview")
    assert ended.code == 0, ended.err
    return columns((ended.cwd / "preview.csv").read_text("utf-8")), ended


def check(run_cli: Callable[..., Ended], options: tuple[str, ...], changes: tuple[tuple[str, ...], ...], at: int) -> None:
    """Stop, change, go on for a while, change again; look ahead before and after the last change."""
    ended = run_cli(*BASE, *options, f"sweep.until={at}")
    for number, change in enumerate(changes[:-1]):
        assert ended.code == 0, ended.err
        ended = run_cli(RESUME, *overrides(change), f"sweep.until={at + 4 * number + 4}")
    assert ended.code == 0, ended.err
    last = overrides(changes[-1])
    before, _ = preview(run_cli, RESUME, *last)
    ended = run_cli(RESUME, *last, f"sweep.until={at + 4 * len(changes)}")
    assert ended.code == 0, ended.err
    after, _ = preview(run_cli, RESUME)
    ended = run_cli(RESUME, "sweep.until=null")
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    for seen in (before, after):
        assert [int(step) for step in seen["step"]] == [row["step"] for row in rows]
        assert [float(epoch) for epoch in seen["epoch"]] == [row["epoch"] for row in rows]
        assert [name for name in seen if name.startswith("lr/")]
        for name in [name for name in seen if name not in ("step", "epoch")]:
            assert [float(value) for value in seen[name]] == [row[name] for row in rows], name


@pytest.mark.parametrize(
    ("scheduler", "change", "at"),
    [
        cell if cell in QUICK else pytest.param(*cell, marks=pytest.mark.slow)
        for cell in product(SCHEDULERS, CHANGES, (9, 12))
    ]
    + [QUICK[-1]],
)
def test_the_preview_of_a_changed_run_is_its_rows_to_the_last_bit(run_cli, scheduler: str, change: str, at: int) -> None:
    check(run_cli, SCHEDULERS[scheduler], CHANGES[change], at)
