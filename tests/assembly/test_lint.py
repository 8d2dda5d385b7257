"""Lint: what is probably not meant is said before the first step, with its consequence in numbers."""

from __future__ import annotations

import pytest
import torch

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
