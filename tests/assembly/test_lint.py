"""Lint: what is probably not meant is said before the first step, with its consequence in numbers."""

from __future__ import annotations

import pytest

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
    (["scheduler=torch/CosineAnnealingWarmRestarts", "scheduler.T_0=1"], "mid-cycle, after 1 of 4, at 1 of the base"),
    (["scheduler=torch/LinearLR", "scheduler.total_iters=8"], "the run ends at 4, after 50% of the way"),
    (["scheduler=torch/OneCycleLR", "scheduler.total_steps=30"], "the run ends at 24, in the middle of the cycle"),
    (
        ["scheduler=torch/CosineAnnealingLR", "scheduler.interval=step", "scheduler.T_max=4"],
        "scheduler.T_max=4: at interval step these are updates, 16.7% of the run",
    ),
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
