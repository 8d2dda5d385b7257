"""Lint: what is probably not meant is said before the first step, with its consequence in numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from lrsched.assembly.horizon import evaluated_epochs
from lrsched.horizon import Horizon
from tests.helpers.cli import TINY

RUN = (*TINY, "name=run", "trainer.epochs=4")  # 24 steps, 4 epochs, 4 evaluations

CAUTIONS = [
    (["scheduler=multistep", "scheduler.milestones=[50%,30st]"], "milestone 30st is step 30 of a schedule of 24 steps"),
    (["scheduler=step", "scheduler.every=24st"], "every=24st is 24 steps of 24: the rate is never cut"),
    (["scheduler=piecewise", "scheduler.points=[[0st,1],[99st,0.1]]"], "point 99st is step 99"),
    # (1 + cos π·3/16)/2 = 0.916: step 3 of the second cycle of 16, which the run cuts after 4
    (["scheduler=sgdr", "scheduler.first=10st"], "the run ends in mid-cycle: 4 of the 10 steps"),
    (["scheduler.final={absolute: 0.5}"], "lies above the base value 0.1: the rate rises to 5 times it"),
    (["scheduler=plateau", "scheduler.patience=3"], "scheduler.patience=3: the run has 4 evaluations"),
    (["scheduler=torch/StepLR", "scheduler.step_size=4"], "the rate is never cut, the run ends at 4"),
    (["scheduler=torch/MultiStepLR", "scheduler.milestones=[2,9]"], "scheduler.milestones: 9 is never reached"),
    # (1 + cos 3π/2)/2 = 0.5
    (["scheduler=torch/CosineAnnealingLR", "scheduler.T_max=2"], "and ends the run at 0.5 of the base rate"),
    # (1 + cos 3π/6)/2 = 0.5
    (["scheduler=torch/CosineAnnealingLR", "scheduler.T_max=6"], "the run ends at 4, still at 0.5 of the base rate"),
    # cycles of 1 and 2 epochs are done after 3; one epoch of the cycle of 4 is left: t = 0 of it
    (
        ["scheduler=torch/CosineAnnealingWarmRestarts", "scheduler.T_0=1", "scheduler.T_mult=2"],
        "mid-cycle, after 1 of 4, at 1 of the base",
    ),
    (["scheduler=torch/LinearLR", "scheduler.total_iters=8"], "the run ends at 4, after 50% of the way"),
    (["scheduler=torch/OneCycleLR", "scheduler.total_steps=30"], "the run ends at 24, in the middle of the cycle"),
    (
        ["scheduler=torch/CosineAnnealingLR", "scheduler.interval=step", "scheduler.T_max=4"],
        "scheduler.T_max=4: at interval step these are updates, 16.7% of the run",
    ),
]


BY_EPOCHS = ["scheduler=torch/OneCycleLR", "scheduler.total_steps=null"]
CAUTIONS += [
    ([*BY_EPOCHS, "+scheduler.epochs=100", "+scheduler.steps_per_epoch=6"], "these are 600 steps: the run ends at 24"),
    (["scheduler=torch/ReduceLROnPlateau", "scheduler.patience=3"], "scheduler.patience=3: the run has 4 evaluations"),
    (["scheduler=torch/CyclicLR", "scheduler.step_size_up=24"], "the run ends at 24, before the first peak"),
    (["scheduler=torch/SWALR", "scheduler.anneal_epochs=5"], "the run ends at 4, on the way to swa_lr"),
    (["scheduler=torch/ConstantLR", "scheduler.total_iters=4"], "the rate stays reduced, the run ends at 4"),
]


@pytest.mark.parametrize(("arguments", "caution"), CAUTIONS, ids=[" ".join(arguments) for arguments, _ in CAUTIONS])
def test_a_caution_is_said_and_the_run_goes_on(run_cli, arguments: list[str], caution: str) -> None:
    ended = run_cli(*RUN, *arguments)
    assert ended.code == 0, ended.err
    assert "warning: scheduler" in ended.err
    assert caution in ended.err
    assert caution in (ended.cwd / "outputs/run/train.log").read_text("utf-8")


def test_what_pytorch_would_end_with_an_error_is_refused(run_cli) -> None:
    ended = run_cli(*RUN, "scheduler=torch/OneCycleLR", "scheduler.total_steps=10")
    assert ended.code == 2
    assert "scheduler.total_steps=10: PyTorch's OneCycleLR ends with an error there" in ended.err


@pytest.mark.parametrize(
    "scheduler", ["cosine", "linear", "step", "wsd", "onecycle", "sgdr", "torch/StepLR", "plateau"]
)
def test_the_default_run_is_warned_of_nothing(run_cli, scheduler: str) -> None:
    ended = run_cli(f"scheduler={scheduler}", "name=run", "trainer.progress=false")
    assert ended.code == 0, ended.err
    assert ended.err == ""


@pytest.mark.parametrize(("epochs", "an_epoch"), [("auto", "auto"), (4, "auto"), ("auto", 6), (4, 6)])
def test_one_cycle_by_epochs_has_the_length_of_the_run(run_cli, epochs: object, an_epoch: object) -> None:
    given = (f"+scheduler.epochs={epochs}", f"+scheduler.steps_per_epoch={an_epoch}", "trainer.log_every=1st")
    ended = run_cli(*RUN, *BY_EPOCHS, *given)
    assert (ended.code, ended.err) == (0, "")
    seen = [row["lr/default"] for row in ended.rows() if "lr/default" in row]
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    bare, rates = torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=24), []
    for _ in range(24):
        rates.append(o.param_groups[0]["lr"])
        o.step()
        bare.step()
    assert seen == rates


def test_a_cycle_by_epochs_that_is_too_short_is_refused(run_cli) -> None:
    ended = run_cli(*RUN, *BY_EPOCHS, "+scheduler.epochs=1", "+scheduler.steps_per_epoch=6")
    assert (ended.code, (ended.cwd / "outputs/run").exists()) == (2, False)
    assert "scheduler.epochs=1: with steps_per_epoch=6 these are 6 steps" in ended.err


def test_a_wave_that_overflows_is_refused_before_the_first_step(run_cli) -> None:
    given = ("scheduler.step_size_up=1", "scheduler.mode=triangular2", "trainer.epochs=400")
    ended = run_cli(*RUN, "scheduler=torch/CyclicLR", *given)
    assert (ended.code, (ended.cwd / "outputs/run").exists()) == (2, False)
    assert "ends with an error of its own at t=" in ended.err


def test_a_plateau_by_epochs_sees_the_newest_evaluation_of_the_epoch(run_cli) -> None:
    ended = run_cli(
        *RUN, "scheduler=torch/ReduceLROnPlateau", "scheduler.interval=epoch", "scheduler.patience=0",
        "scheduler.threshold=1e9", "scheduler.threshold_mode=abs", "scheduler.factor=0.5",
        "trainer.evaluate_every=5st", "trainer.log_every=1st",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    rates = {row["step"]: row["lr/default"] for row in ended.rows() if "lr/default" in row}
    # Epochs end at 6, 12, 18; the first metric (of step 5) is the best, those of 10 and 15 are not 1e9 better.
    assert [rates[step] for step in (0, 6, 11, 12, 17, 18, 23)] == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


@pytest.mark.parametrize("length", [["trainer.steps=4"], ["trainer.steps=20", "trainer.evaluate_every=99st"]])
def test_a_plateau_by_epochs_that_never_sees_a_metric_is_refused(run_cli, length: list[str]) -> None:
    ended = run_cli(*RUN, "scheduler=torch/ReduceLROnPlateau", "scheduler.interval=epoch", *length)
    assert (ended.code, (ended.cwd / "outputs/run").exists()) == (2, False)
    assert "scheduler.interval=epoch: steps at the end of an epoch on the newest metric" in ended.err


def test_a_plateau_by_epochs_that_is_evaluated_after_its_last_whole_epoch_is_refused(run_cli) -> None:
    # 20 steps, the last whole epoch of 6 ends at 18: evaluations at 19 and 20 come too late, one at 18 does not.
    plateau = (*RUN, "scheduler=torch/ReduceLROnPlateau", "scheduler.interval=epoch", "trainer.steps=20")
    late = run_cli(*plateau, "trainer.evaluate_every=19st")
    assert (late.code, (late.cwd / "outputs/run").exists()) == (2, False)
    assert "scheduler.interval=epoch: steps at the end of an epoch on the newest metric" in late.err
    assert run_cli(*plateau, "trainer.evaluate_every=18st").code == 0


@pytest.mark.parametrize("epoch", [1, 2, 6, 7])
def test_the_epochs_with_an_evaluation_are_counted(epoch: int) -> None:
    for steps in range(1, 30):
        for every in range(1, 32):
            evaluations = [s for s in range(1, steps + 1) if s % every == 0 or s == steps]
            ends = {math.ceil(s / epoch) * epoch for s in evaluations}
            assert evaluated_epochs(Horizon(steps, epoch), every) == len([end for end in ends if end <= steps])


DIGITS = ("name=run", "trainer.progress=false", "logger=none", "trainer.log_every=1st", "threads=1")  # 21 an epoch


def rates(ended: Any) -> list[float]:
    return [row["lr/default"] for row in ended.rows() if "lr/default" in row]


@pytest.mark.parametrize(("every", "epochs"), [(20, 4), (45, 8)])
def test_a_plateau_by_epochs_on_digits_is_a_bare_loop(run_cli, every: int, epochs: int) -> None:
    given = {"patience": 0, "threshold": 0.3, "factor": 0.5}
    ended = run_cli(
        *DIGITS, "scheduler=torch/ReduceLROnPlateau", "scheduler.interval=epoch", f"trainer.epochs={epochs}",
        f"trainer.evaluate_every={every}st", *(f"scheduler.{name}={value}" for name, value in given.items()),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    losses = {row["step"]: row["val/loss"] for row in ended.rows() if "val/loss" in row}
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    bare, newest, expected = torch.optim.lr_scheduler.ReduceLROnPlateau(o, **given), None, []
    for s in range(21 * epochs):
        expected.append(o.param_groups[0]["lr"])
        if s + 1 in losses:
            newest = losses[s + 1]
        if (s + 1) % 21 == 0 and newest is not None:
            bare.step(newest)
            newest = None
    assert rates(ended) == expected
    assert len(set(expected)) > 1  # it was cut


LENGTHS = [("auto", "auto", 42), (2, 21, 42), (100, 21, 2100)]


@pytest.mark.parametrize(("epochs", "an_epoch", "total"), LENGTHS, ids=["auto-auto", "2-21", "100-21"])
def test_one_cycle_by_epochs_on_digits_is_a_bare_loop(run_cli, epochs: object, an_epoch: object, total: int) -> None:
    given = (f"+scheduler.epochs={epochs}", f"+scheduler.steps_per_epoch={an_epoch}", "trainer.epochs=2")
    ended = run_cli(*DIGITS, *BY_EPOCHS, *given)
    assert ended.code == 0, ended.err
    assert ("these are 2100 steps: the run ends at 42, in the middle of the cycle" in ended.err) == (total != 42)
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    bare, expected = torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=total), []
    for _ in range(42):
        expected.append(o.param_groups[0]["lr"])
        o.step()
        bare.step()
    assert rates(ended) == expected


def test_one_cycle_of_one_epoch_of_digits_is_refused_for_two(run_cli) -> None:
    given = ("+scheduler.epochs=1", "+scheduler.steps_per_epoch=21", "trainer.epochs=2")
    ended = run_cli(*DIGITS, *BY_EPOCHS, *given)
    assert (ended.code, (ended.cwd / "outputs/run").exists()) == (2, False)
    assert "scheduler.epochs=1: with steps_per_epoch=21 these are 21 steps" in ended.err


def composite(outer: str, children: list[str], milestones: str = "") -> list[str]:
    nodes = ", ".join(f"{{_target_: torch.optim.lr_scheduler.{child}}}" for child in children)
    return [
        f"scheduler=torch/{outer}",
        f"scheduler.schedulers=[{nodes}]",
        *([f"scheduler.milestones=[{milestones}]"] if milestones else []),
    ]


INNER = (
    "SequentialLR, milestones: [2], schedulers: [{_target_: torch.optim.lr_scheduler.StepLR, step_size: 1}, "
    "{_target_: torch.optim.lr_scheduler.LinearLR, total_iters: 9}]"
)
CHAINED = "ChainedScheduler, schedulers: [{_target_: torch.optim.lr_scheduler.StepLR, step_size: 1}]"
INSIDE = [
    (["StepLR, step_size: 2", "StepLR, step_size: 1"], "schedulers[0].step_size=2: the rate is never cut, its part"),
    (["StepLR, step_size: 1", "CosineAnnealingLR, T_max: 9"], "schedulers[1].T_max=9: its part ends at 2, still at"),
    (["StepLR, step_size: 1", "MultiStepLR, milestones: [3]"], "schedulers[1].milestones: 3 is never reached"),
    ([INNER, "StepLR, step_size: 1"], "schedulers[0].schedulers[1].total_iters=9: its part ends at 1, after 11%"),
    ([INNER, "StepLR, step_size: 1"], "schedulers[0]: PyTorch's SequentialLR leaves out the first value of a Seq"),
]


@pytest.mark.filterwarnings("ignore:Detected call of")  # PyTorch's own, of the first value that it leaves out
@pytest.mark.parametrize(("children", "caution"), INSIDE, ids=[caution for _, caution in INSIDE])
def test_the_lengths_inside_a_composite_are_known(run_cli, children: list[str], caution: str) -> None:
    ended = run_cli(*RUN, *composite("SequentialLR", children, "2"))
    assert ended.code == 0, ended.err
    assert f"warning: scheduler.{caution}" in ended.err


def test_the_lengths_inside_a_chain_are_those_of_the_run(run_cli) -> None:
    children = ["StepLR, step_size: 4", "LinearLR, total_iters: 2"]
    ended = run_cli(*RUN, *composite("ChainedScheduler", children))
    assert ended.code == 0, ended.err
    assert "scheduler.schedulers[0].step_size=4: the rate is never cut, its part ends at 4" in ended.err
    assert "total_iters=2" not in ended.err


@pytest.mark.parametrize("child", [INNER, CHAINED], ids=["SequentialLR", "ChainedScheduler"])
def test_a_composite_that_pytorch_cannot_come_to_is_refused(run_cli, child: str) -> None:
    ended = run_cli(*RUN, *composite("SequentialLR", ["StepLR, step_size: 1", child], "2"))
    assert (ended.code, (ended.cwd / "outputs/run").exists()) == (2, False)
    assert "scheduler.schedulers[1]=" in ended.err
    assert "ends with an error where it comes to a composite; name its parts in this list" in ended.err


def test_a_length_that_one_cycle_ignores_is_said(run_cli) -> None:
    ended = run_cli(*RUN, "scheduler=torch/OneCycleLR", "+scheduler.epochs=9", "+scheduler.steps_per_epoch=6")
    assert ended.code == 0, ended.err
    assert "scheduler.epochs=9: OneCycleLR ignores it beside total_steps=auto" in ended.err
    assert "scheduler.steps_per_epoch=6: OneCycleLR ignores it beside total_steps=auto" in ended.err
    assert "in the middle of the cycle" not in ended.err


def test_a_longer_run_does_not_go_past_a_cycle(run_cli) -> None:
    cycle = ("scheduler=torch/OneCycleLR", "scheduler.total_steps=30")
    assert run_cli(*RUN, *cycle).code == 0
    longer = ("resume=outputs/run", "trainer.progress=false", "trainer.on_extend=stretch")
    refused = run_cli(*longer, "trainer.epochs=6")
    assert refused.code == 2
    assert "ends with an error of its own at t=31 of 35" in refused.err
    assert run_cli(*longer, "trainer.epochs=5").code == 0


@pytest.mark.parametrize(("start", "count"), [("2ep", 2), ("3ep", 1), ("4ep", 0), ("9ep", 0)])
def test_a_start_that_leaves_early_stop_no_evaluations_is_said(run_cli, start: str, count: int) -> None:
    given = (f"trainer.early_stop.start={start}", "trainer.early_stop.patience=2")
    ended = run_cli(*RUN, *given)
    assert ended.code == 0, ended.err
    lie = "evaluation lies" if count == 1 else "evaluations lie"
    left = f"{count} {lie} between it and the end of the run, so patience=2 never ends it early"
    assert f"warning: trainer.early_stop.start={start}: {left}" in ended.err


@pytest.mark.parametrize("patience", ["2", "null"])
def test_a_start_that_leaves_early_stop_enough_is_warned_of_nothing(run_cli, patience: str) -> None:
    start = "1ep" if patience == "2" else "9ep"
    ended = run_cli(*RUN, f"trainer.early_stop.start={start}", f"trainer.early_stop.patience={patience}")
    assert (ended.code, ended.err) == (0, "")
