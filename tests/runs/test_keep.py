"""``on_extend=keep``: what was planned, then its last value, under every scheduler that runs live."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler

from tests.helpers.cases import rest_slow
from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

PLANNED, STEPS = 24, 48  # four epochs of six; now eight
RUN = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "optimizer.lr=0.1", "logger=none", "name=run")
LONGER = ("resume=outputs/run", "trainer.epochs=8", "trainer.on_extend=keep")

LINEAR = "{_target_: torch.optim.lr_scheduler.LinearLR, start_factor: 0.5, total_iters: 2}"
COSINE = "{_target_: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: auto}"
COMPOSITE = f"scheduler.schedulers=[{LINEAR}, {COSINE}]"

SCHEDULERS = {
    "CosineAnnealingLR": (),
    "CosineAnnealingLR by steps": ("scheduler.interval=step",),
    "CosineAnnealingLR by evaluations": ("scheduler.interval=evaluation",),
    "CosineAnnealingLR for 3 epochs": ("scheduler.T_max=3",),
    "CosineAnnealingWarmRestarts": ("scheduler.T_0=3",),
    "SequentialLR": (COMPOSITE, "scheduler.milestones=[2]"),
    "ChainedScheduler of a SequentialLR": (
        f"scheduler.schedulers=[{{_target_: torch.optim.lr_scheduler.SequentialLR, "
        f"schedulers: [{LINEAR}, {COSINE}], milestones: [2]}}, {LINEAR}]",
    ),
    "ChainedScheduler": (COMPOSITE,),
    "OneCycleLR": (),
    "OneCycleLR of so many steps": ("scheduler.total_steps=24",),
    "CyclicLR": ("scheduler.step_size_up=10",),
    "ExponentialLR": ("scheduler.gamma=0.5",),
    "StepLR": ("scheduler.step_size=1",),
    "StepLR by evaluations": ("scheduler.step_size=1", "scheduler.interval=evaluation", "trainer.evaluate_every=5st"),
    "MultiStepLR": ("scheduler.milestones=[1,5]",),
    "ConstantLR": ("scheduler.factor=0.5", "scheduler.total_iters=6"),
    "LinearLR": ("scheduler.total_iters=6",),
    "PolynomialLR": ("scheduler.total_iters=6",),
    "LambdaLR": ("scheduler.lr_lambda='1 - t/T'",),
    "LambdaLR with one's own length": ("scheduler.lr_lambda='1/(1 + t)'",),
    "MultiplicativeLR": ("scheduler.lr_lambda='0.9'",),
    "SWALR": ("scheduler.anneal_epochs=6", "scheduler.swa_lr=0.05"),
}

QUICK = {  # formula, factors, cycles, children, a length of its own; by epochs, evaluations and steps
    "CosineAnnealingLR by evaluations",
    "CosineAnnealingWarmRestarts",
    "ChainedScheduler of a SequentialLR",
    "OneCycleLR",
    "StepLR",
    "LambdaLR with one's own length",
}


def of(name: str) -> tuple[str, ...]:
    return (f"scheduler=torch/{name.split()[0]}", *SCHEDULERS[name])


def values(ended) -> list[tuple[float, ...]]:
    """Rates, and momentum where it moves, by step."""
    assert ended.code == 0, ended.err
    names = [name for name in ("lr/default", "momentum/default") if name in ended.rows()[0]]
    rows = [row for row in ended.rows() if "lr/default" in row]
    assert [row["step"] for row in rows] == list(range(len(rows)))
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("name", rest_slow(SCHEDULERS, QUICK))
def test_a_finished_run_keeps_its_last_values(run_cli, name: str) -> None:
    planned = values(run_cli(*RUN, *of(name)))
    assert len(planned) == PLANNED
    assert run_cli(*LONGER, "--csv", "shown.csv", command="preview").code == 0
    kept = values(run_cli(*LONGER))
    assert kept == planned + planned[-1:] * (STEPS - PLANNED)
    with open("shown.csv", newline="") as file:
        assert [float(row["lr/default"]) for row in csv.DictReader(file)] == [row[0] for row in kept]


@pytest.mark.parametrize(
    "name",
    rest_slow(
        ["CosineAnnealingLR", "SequentialLR", "OneCycleLR", "StepLR by evaluations"],
        ["SequentialLR", "StepLR by evaluations"],
    ),
)
def test_a_run_that_is_lengthened_on_its_way_ends_its_plan_first(run_cli, monkeypatch, name: str) -> None:
    planned = values(run_cli(*RUN, *of(name)))
    Path("outputs/run").rename("outputs/whole")
    for step, options in ((10, RUN + of(name)), (30, LONGER)):  # stopped before the end of its plan, and after it
        with monkeypatch.context() as patch:
            stop_at(patch, step)
            assert run_cli(*options).code == 143
    assert values(run_cli("resume=outputs/run")) == planned + planned[-1:] * (STEPS - PLANNED)


def test_the_values_of_a_bare_loop(run_cli) -> None:
    run_cli(*RUN, *of("SequentialLR"))
    kept = values(run_cli(*LONGER))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    linear = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    both = [linear, lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)]
    scheduler = lr_scheduler.SequentialLR(optimizer, both, milestones=[2])
    expected = []
    for epoch in range(8):
        expected += (optimizer.param_groups[0]["lr"],)
        optimizer.step()
        if epoch < 3:  # the plan's last epoch is the fourth
            scheduler.step()
    assert kept == [(rate,) for rate in expected for _ in range(6)]
    assert kept[-1][0] == pytest.approx(0.05, rel=1e-12)  # half-way down the cosine


def test_twice_longer_and_once_shorter(run_cli) -> None:
    planned = values(run_cli(*RUN, *of("CosineAnnealingLR")))
    run_cli(*LONGER)
    kept = values(run_cli("resume=outputs/run", "trainer.epochs=9", "trainer.on_extend=keep"))
    assert kept == planned + planned[-1:] * 30


def test_a_plan_cut_short_is_kept_at_its_new_end(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN, *of("StepLR")).code == 143
    assert run_cli("resume=outputs/run", "trainer.epochs=2", "trainer.on_extend=keep").code == 0
    kept = values(run_cli(*LONGER))
    assert kept == [(0.1,)] * 6 + kept[6:7] * 42
    assert kept[6][0] < 0.1


def test_held_values_are_not_stepped_again(run_cli) -> None:
    run_cli(*RUN, *of("StepLR"))
    assert run_cli(*LONGER).code == 0
    ended = run_cli("resume=outputs/run", "trainer.epochs=10", "trainer.on_extend=stretch")
    assert ended.code == 2
    assert "trainer.on_extend=stretch: the last values of its plan are held since step 24" in ended.err


def test_an_expression_of_the_runs_length_is_not_stretched(run_cli) -> None:
    run_cli(*RUN, *of("LambdaLR"))
    ended = run_cli("resume=outputs/run", "trainer.epochs=8", "trainer.on_extend=stretch")
    assert ended.code == 2
    assert "can only go on as planned" in ended.err


SEQUENCE = (
    "scheduler=sequence",
    "scheduler.parts=[{schedule: {_target_: lrsched.schedules.Linear, final: 0.5}, length: 50%}, "
    "{length: 50%, schedule: {_target_: lrsched.schedulers.Plateau, patience: 99}}]",
)


def test_the_parts_of_a_sequence_with_a_closed_loop_stay_where_they_were(run_cli, monkeypatch) -> None:
    planned = values(run_cli(*RUN, *SEQUENCE))
    assert planned[11] < planned[0] == planned[12]  # a line over 12 steps, and then the loop at its level
    Path("outputs/run").rename("outputs/whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN, *SEQUENCE).code == 143
    assert values(run_cli(*LONGER)) == planned + planned[-1:] * (STEPS - PLANNED)
