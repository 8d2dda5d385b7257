"""``lrsched preview resume=RUN``: the rows that the whole run has in the end, to the last bit, whatever changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import pytest

from tests.cli.test_preview import columns
from tests.helpers.cli import TINY, Ended

BASE = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "logger=none", "name=run", "checkpoint.every=100st")
RESUME = "resume=outputs/run"
SLOW = pytest.mark.slow
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
    "class by each step": (
        "scheduler=torch/CosineAnnealingLR",
        "scheduler.interval=evaluation",
        "scheduler.T_max=auto",
        "trainer.evaluate_every=1st",
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
OF_OURS = {
    "reanneal, then batch": (("trainer.epochs=6", "trainer.on_extend=reanneal"), BATCH),
    "batch, then another": (BATCH, ("scheduler=step", "scheduler.every=1ep")),
    "another, then batch": (("scheduler=onecycle", "scheduler.warmup=3st"), BATCH),
    "batch and cooldown": ((*BATCH, "trainer.epochs=6", "trainer.on_extend=cooldown"),),
    "split at the end of an epoch": (("dataset.validation=0.3",),),
    "batch, then longer in steps": (BATCH, ("trainer.steps=40", "trainer.on_extend=stretch")),
    "a place without an update": (("dataset.batch_size=80",),),
    "in steps": (("trainer.steps=40", "trainer.on_extend=stretch"), BATCH),
}
QUICK = [
    ("cosine", "twice", 9),
    ("class by each step", "a place without an update", 7),
    ("class by evaluations", "batch size", 12),
]


def overrides(change: tuple[str, ...]) -> list[str]:
    free = ("trainer.epochs", "trainer.steps", "trainer.on_extend")
    keys = [word.partition("=")[0] for word in change if not word.startswith(free)]
    return [*change, f"checkpoint.allow_change=[{','.join(keys)}]"]


def preview(run_cli: Callable[..., Ended], *words: str) -> tuple[dict[str, list[str]], Ended]:
    ended = run_cli(*words, "--csv", "preview.csv", command="preview")
    assert ended.code == 0, ended.err
    return columns((ended.cwd / "preview.csv").read_text("utf-8")), ended


def check(
    run_cli: Callable[..., Ended], options: tuple[str, ...], changes: tuple[tuple[str, ...], ...], at: int
) -> None:
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
            moved = [float(value) if value else None for value in seen[name]]
            assert moved == [row.get(name) for row in rows], name


CELLS = [
    *product(SCHEDULERS, CHANGES, [9]),
    *product(["cosine", "class by evaluations"], CHANGES, [12]),
    *product(["cosine", "sequence"], OF_OURS, [12]),
    *product(SCHEDULERS, ["a place without an update"], [7]),
]


@pytest.mark.parametrize(
    ("scheduler", "change", "at"),
    [cell if cell in QUICK else pytest.param(*cell, marks=SLOW) for cell in CELLS],
)
def test_a_changed_run_is_foreseen_to_the_last_bit(run_cli, scheduler: str, change: str, at: int) -> None:
    check(run_cli, SCHEDULERS[scheduler], (CHANGES | OF_OURS)[change], at)


def test_the_splits_change_in_mid_epoch_is_said(run_cli) -> None:
    run_cli(*BASE, "sweep.until=9")
    split = ("dataset.validation=0.3", "checkpoint.allow_change=[dataset.validation]")
    seen, ended = preview(run_cli, RESUME, *split)
    assert "warning: the samples change in the middle of an epoch" in ended.err
    made = run_cli(RESUME, *split, "sweep.until=null")
    assert abs(len(seen["step"]) - made.result()["step"]) <= 1
    assert "warning" not in preview(run_cli, RESUME)[1].err


@pytest.mark.parametrize("scheduler", ["torch/StepLR", *[pytest.param(n, marks=SLOW) for n in ("cosine", "plateau")]])
def test_a_length_that_is_over_already_is_refused_in_the_runs_own_steps(run_cli, scheduler: str) -> None:
    run_cli(*BASE, f"scheduler={scheduler}", "sweep.until=12")
    shorter = (RESUME, "trainer.epochs=1", "trainer.on_extend=keep", "sweep.until=null")
    first = run_cli(*shorter)
    assert (first.code, "trainer.epochs=1: 12 steps are already done, and the run is to have 6;" in first.err) == (
        2,
        True,
    )
    for command in ("train", "preview"):
        ended = run_cli(*shorter, *overrides(BATCH), command=command)
        assert ended.code == 2
        assert "12 steps are already done, 2 epochs, and the run is to have 1 epoch; give more" in ended.err


def test_digits_of_another_batch_size_are_foreseen_by_formula(run_cli) -> None:
    """63 updates of 21 an epoch, then 6: 18 more; update 70 is place 25 of 36."""
    digits = ("dataset=digits", "trainer.epochs=6", "trainer.progress=false", "scheduler=cosine", "name=run")
    run_cli(*digits, "sweep.until=63", "logger=none")
    seen, ended = preview(run_cli, RESUME, "dataset.batch_size=256", "checkpoint.allow_change=[dataset.batch_size]")
    assert len(seen["step"]) == 81
    assert "81 steps, 6 epochs" in ended.out
    assert float(seen["lr/default"][70]) == pytest.approx(0.05 * (1 + math.cos(math.pi * 25 / 36)), rel=1e-12)
    assert float(seen["epoch"][69]) == 4.0
