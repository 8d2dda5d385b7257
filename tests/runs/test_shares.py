"""Shares of the groups, and a metric that waits: stopped and resumed, the run is the undisturbed one."""

from __future__ import annotations

import pytest
import torch

from lrsched.records import RunFolder
from tests.helpers.cli import TINY, Ended
from tests.helpers.compare_runs import differences

WORDS = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "logger=none", "optimizer.momentum=0.9")
TORCH = "scheduler=torch/"
CLASSES = {
    "OneCycleLR": (TORCH + "OneCycleLR", "scheduler.interval=step", "scheduler.total_steps=auto"),
    "CyclicLR": (TORCH + "CyclicLR", "scheduler.step_size_up=5", "scheduler.mode=triangular2"),
    "SWALR": (TORCH + "SWALR", "scheduler.interval=step", "scheduler.anneal_epochs=14"),
    "CosineAnnealingLR": (TORCH + "CosineAnnealingLR", "scheduler.interval=step", "scheduler.eta_min=0.02"),
    "CosineAnnealingWarmRestarts": (
        TORCH + "CosineAnnealingWarmRestarts",
        "scheduler.interval=step",
        "scheduler.T_0=5",
        "scheduler.T_mult=2",
        "scheduler.eta_min=0.02",
    ),
    "ReduceLROnPlateau": (
        TORCH + "ReduceLROnPlateau",
        "scheduler.patience=0",
        "scheduler.threshold=0.9",
        "scheduler.factor=0.3",
        "scheduler.min_lr=0.02",
        "trainer.evaluate_every=2st",
    ),
}
GROUPS = {
    "layer_decay": ("optimizer.layer_decay=0.7",),
    "groups": ("+optimizer.groups={body: {params: 'body.*', lr: 0.0}, head: {params: 'head.weight', lr_scale: 3.0}}",),
}
QUICK = {("OneCycleLR", "groups")}
TABLE = [
    pytest.param(name, kind, marks=() if (name, kind) in QUICK else pytest.mark.slow)
    for name in CLASSES
    for kind in GROUPS
]
WAITING = (
    TORCH + "ReduceLROnPlateau",
    "scheduler.interval=epoch",
    "scheduler.patience=0",
    "scheduler.threshold=0.9",
    "scheduler.factor=0.3",
    "trainer.evaluate_every=4st",  # an epoch has 6 updates: the metrics of 4 and 16 wait for its end
)


def same_when_cut(run_cli, words: tuple[str, ...], stops: tuple[int, ...]) -> Ended:
    assert run_cli(*WORDS, *words, "name=whole").code == 0
    assert run_cli(*WORDS, *words, "name=cut", f"sweep.until={stops[0]}").code == 0
    for until in (*stops[1:], "null"):
        ended = run_cli("resume=outputs/cut", f"sweep.until={until}")
        assert ended.code == 0, ended.err
    assert differences(*(RunFolder(ended.cwd / "outputs" / name) for name in ("whole", "cut"))) == []
    return ended


def rates(ended: Ended, group: str = "default") -> list[float]:
    return [row[f"lr/{group}"] for row in ended.rows("cut") if f"lr/{group}" in row]


@pytest.mark.parametrize(("name", "kind"), TABLE)
def test_a_groups_share_comes_back(run_cli, name: str, kind: str) -> None:
    ended = same_when_cut(run_cli, (*CLASSES[name], *GROUPS[kind]), (1, 7, 12, 17))
    groups = {key.removeprefix("lr/") for row in ended.rows("cut") for key in row if key.startswith("lr/")}
    whole = next(group for group in ("layer1", "no_decay") if group in groups)
    shares = {group: rates(ended, group)[-1] / rates(ended, whole)[-1] for group in groups}
    by_config = {"layer0": 0.7, "layer1": 1, "body": 0, "head": 3, "no_decay": 1}
    assert shares == pytest.approx({group: by_config[group.split("/")[0]] for group in groups}, rel=1e-12)
    assert len(groups) == 4


def by_hand(metrics: dict[int, float], ends: tuple[int, ...], steps: int) -> list[float]:
    """PyTorch's plateau, stepped at the end of an epoch with the newest metric since its last step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=0, threshold=0.9)
    newest, found = None, []
    for step in range(steps):
        newest = metrics.get(step, newest)
        if step in ends and newest is not None:
            plateau.step(newest)
            newest = None
        found.append(optimizer.param_groups[0]["lr"])
    return found


def metrics_of(ended: Ended) -> dict[int, float]:
    return {row["step"]: row["val/loss"] for row in ended.rows("cut") if "val/loss" in row}


def test_a_metric_waits_for_the_end_of_its_epoch(run_cli) -> None:
    ended = same_when_cut(run_cli, WAITING, (4, 5, 6, 12, 17))
    assert sorted(metrics_of(ended)) == [4, 8, 12, 16, 20, 24]
    assert rates(ended) == by_hand(metrics_of(ended), (6, 12, 18, 24), 24)
    assert [rates(ended)[t] for t in (11, 12, 17, 18)] == pytest.approx([0.1, 0.03, 0.03, 0.009])


def test_a_metric_waits_through_another_batch_size(run_cli) -> None:
    """At update 17 the metric of 16 waits; the rest of epoch 2, 6 samples, is one update of 32."""
    wider = ("dataset.batch_size=32", "checkpoint.allow_change=[dataset.batch_size]")
    assert run_cli(*WORDS, *WAITING, "name=cut", "sweep.until=17").code == 0
    assert run_cli("resume=outputs/cut", *wider, "sweep.until=18").code == 0
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert ended.code == 0, ended.err
    assert len(rates(ended)) == 17 + 1 + 3
    assert rates(ended) == by_hand(metrics_of(ended), (6, 12, 18), 21)
    assert rates(ended)[17:19] == pytest.approx([0.03, 0.009])
