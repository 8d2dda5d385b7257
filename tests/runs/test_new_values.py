"""New values on resume: from this step on the rates of a run of the new config; a closed loop keeps its level."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler

from tests.helpers.cases import rest_slow
from tests.runs.test_apply_changes import AT, NEVER_BETTER, RESUME, RUN, STEPS, cut, rates  # noqa: F401
from tests.runs.test_resume import stop_at

LR = "optimizer.lr=0.01"
CHILDREN = (
    "scheduler.schedulers=[{_target_: torch.optim.lr_scheduler.LinearLR, start_factor: 0.5, total_iters: 1}, "
    "{_target_: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: auto, eta_min: 0.02}]"
)
OPEN = {  # of the run that was cut: the class and its arguments, and then what changes
    "CosineAnnealingLR above eta_min": (("scheduler.eta_min=0.01",), (LR,)),
    "CosineAnnealingLR by steps": (("scheduler.eta_min=0.02", "scheduler.interval=step"), ("scheduler.eta_min=0.05",)),
    "CosineAnnealingLR for longer": ((), ("scheduler.T_max=6", LR)),
    "CosineAnnealingLR by evaluations": (("scheduler.interval=evaluation", "trainer.evaluate_every=4st"), (LR,)),
    "CosineAnnealingWarmRestarts": (("scheduler.T_0=3",), ("scheduler.eta_min=0.02",)),
    "SequentialLR": ((CHILDREN, "scheduler.milestones=[1]"), (LR,)),
    "ChainedScheduler": ((CHILDREN,), ("optimizer.lr=2.0",)),
    "OneCycleLR at optimizer.lr": ((), (LR,)),
    "OneCycleLR at a peak of its own": (("scheduler.max_lr=0.5",), ("scheduler.max_lr=0.25",)),
    "OneCycleLR and its momentum": ((), ("scheduler.base_momentum=0.5", LR)),
    "CyclicLR": (("scheduler.step_size_up=5",), ("scheduler.max_lr=0.3",)),
    "ExponentialLR": (("scheduler.gamma=0.5",), ("scheduler.gamma=0.25",)),
    "StepLR": (("scheduler.step_size=2",), ("scheduler.step_size=1",)),
    "MultiStepLR": (("scheduler.milestones=[1,3]",), ("scheduler.milestones=[2]", LR)),
    "ConstantLR": (("scheduler.factor=0.5", "scheduler.total_iters=3"), (LR,)),
    "LinearLR": (("scheduler.total_iters=3",), ("scheduler.total_iters=4",)),
    "PolynomialLR": (("scheduler.total_iters=4",), (LR,)),
    "LambdaLR": (("scheduler.lr_lambda='1/(1 + t)'",), ("scheduler.lr_lambda='1 - t/T'",)),
    "MultiplicativeLR": (("scheduler.lr_lambda='0.9'",), (LR,)),
    "SWALR": (("scheduler.anneal_epochs=3", "scheduler.swa_lr=0.05"), ("scheduler.swa_lr=0.01",)),
}

QUICK = {  # each way to come by the rates of the new values
    "CosineAnnealingLR above eta_min",
    "CosineAnnealingLR by evaluations",
    "SequentialLR",
    "ChainedScheduler",
    "OneCycleLR and its momentum",
    "LambdaLR",
}


def of(name: str) -> tuple[str, ...]:
    return (f"scheduler=torch/{name.split()[0]}", *OPEN[name][0])


def allowed(changes: tuple[str, ...]) -> str:
    return f"checkpoint.allow_change=[{','.join(change.partition('=')[0] for change in changes)}]"


@pytest.mark.parametrize("name", rest_slow(OPEN, QUICK))
def test_from_here_on_the_rates_of_a_run_of_the_new_values(run_cli, cut, monkeypatch, name: str) -> None:  # noqa: F811
    changes = OPEN[name][1]
    cut(*of(name))
    with monkeypatch.context() as patch:  # the change is made once, and a resume of its own goes on
        stop_at(patch, 14)
        stopped = run_cli(RESUME, *changes, allowed(changes))
        assert stopped.code == 143, stopped.err
    ended = run_cli(RESUME)
    whole = run_cli(*RUN, *of(name), *changes, "name=whole")
    assert whole.code == 0, whole.err
    expected = [row["lr/default"] for row in whole.rows("whole") if "lr/default" in row]
    assert rates(ended)[AT:] == expected[AT:]
    assert f"at step {AT}" in stopped.err or "the rate is" in stopped.err


def test_the_values_of_a_bare_loop_above_the_floor(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=torch/CosineAnnealingLR", "scheduler.eta_min=0.01")
    ended = run_cli(RESUME, "optimizer.lr=0.04", "checkpoint.allow_change=[optimizer.lr]")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.04)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=4, eta_min=0.01)
    expected = []
    for _ in range(4):
        expected += [optimizer.param_groups[0]["lr"]] * 6
        optimizer.step()
        scheduler.step()
    assert rates(ended)[AT:] == expected[AT:]
    was = 0.01 + 0.99 * (1 + 2**-0.5) / 2  # the second epoch of the run of rate 1
    assert f"the rate is {expected[AT]:.4g} at step 8, where it was to be {was:.4g}" in ended.err


@pytest.mark.parametrize(
    ("scheduler", "change", "message"),
    [
        (
            ("OneCycleLR", "scheduler.max_lr=0.5"),
            LR,
            "OneCycleLR sets lr by arguments of its own; change scheduler.max_lr",
        ),
        (("OneCycleLR",), "optimizer.momentum=0.5", "change scheduler.base_momentum and scheduler.max_momentum"),
        (("CyclicLR", "scheduler.max_lr=0.5"), LR, "change scheduler.max_lr and scheduler.base_lr"),
    ],
)
def test_what_would_change_nothing_is_refused(run_cli, cut, scheduler, change: str, message: str) -> None:  # noqa: F811
    cut(f"scheduler=torch/{scheduler[0]}", *scheduler[1:])
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    ended = run_cli(RESUME, change, allowed((change,)))
    assert (ended.code, message in ended.err) == (2, True), ended.err
    assert f"{change}: changes nothing in the rest of the run" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()} == before


def test_a_schedule_that_is_the_same_for_the_rest_says_so(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=torch/StepLR", "scheduler.step_size=9")
    ended = run_cli(RESUME, "scheduler.step_size=8", "checkpoint.allow_change=[scheduler.step_size]")
    assert rates(ended) == [1.0] * STEPS
    assert "the rates of the steps 8 to 23 are the same" in ended.err


def test_a_rate_of_0_becomes_another_one(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=linear", "optimizer.lr=0")
    ended = run_cli(RESUME, "optimizer.lr=0.5", "checkpoint.allow_change=[optimizer.lr]")
    assert rates(ended) == [0.0] * AT + [0.5 * (1 - t / STEPS) for t in range(AT, STEPS)]


OURS = ("scheduler=plateau", *NEVER_BETTER, "scheduler.factor=0.5", "scheduler.patience=0")
THEIRS = ("scheduler=torch/ReduceLROnPlateau", *OURS[1:])


@pytest.mark.parametrize("plateau", [OURS, THEIRS], ids=["ours", "theirs"])
@pytest.mark.parametrize(
    ("changes", "rest"),
    [  # an evaluation every 2 steps: the first is the best, those after 4 and 6 cut the rate to 1/4; 8 is the next
        pytest.param(("scheduler.patience=99",), [0.25] * 16, id="patience", marks=pytest.mark.slow),
        pytest.param(("scheduler.patience=3",), [0.25] * 6 + [0.125] * 8 + [0.0625] * 2, id="soon"),
        pytest.param(
            ("scheduler.factor=0.1",),
            [0.25 * 0.1**n for n in range(1, 9) for _ in range(2)],
            id="factor",
            marks=pytest.mark.slow,
        ),
        pytest.param(("scheduler.patience=99", "optimizer.lr=4.0"), [1.0] * 16, id="rate"),
        pytest.param(
            ("optimizer.weight_decay=0.001",),
            [0.25 * 0.5**n for n in range(1, 9) for _ in range(2)],
            id="other",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_plateau_keeps_its_cuts(run_cli, cut, plateau, changes, rest) -> None:  # noqa: F811
    cut(*plateau, "trainer.evaluate_every=2st")
    ended = run_cli(RESUME, *changes, allowed(changes))
    assert rates(ended)[:AT] == [1.0] * 4 + [0.5] * 2 + [0.25] * 2
    assert rates(ended)[AT:] == pytest.approx(rest, rel=1e-12)
    if changes != ("optimizer.weight_decay=0.001",):
        assert (
            f"goes on at its level {1 if 'optimizer.lr=4.0' in changes else 0.25}: it keeps what it has seen"
            in ended.err
        )


@pytest.mark.parametrize(
    ("plateau", "floor"),
    [(OURS, "+scheduler.final={absolute: 0.1}"), (THEIRS, "scheduler.min_lr=0.1")],
    ids=["ours", "theirs"],
)
def test_no_level_falls_below_its_floor(run_cli, cut, plateau, floor: str) -> None:  # noqa: F811
    cut(*plateau, "trainer.evaluate_every=2st", floor)
    ended = run_cli(RESUME, "optimizer.lr=0.2", "checkpoint.allow_change=[optimizer.lr]")
    assert rates(ended)[AT:] == [0.1] * 16  # a quarter of 0.2 lies below
    assert "goes on at its level 0.1" in ended.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OURS, "torch/ReduceLROnPlateau"),
        (THEIRS, "plateau"),
        pytest.param(OURS, "greedy", marks=pytest.mark.slow),
    ],
)
def test_another_closed_loop_begins_at_the_level_of_the_one_before(run_cli, cut, before, after: str) -> None:  # noqa: F811
    cut(*before, "trainer.evaluate_every=2st")
    ended = run_cli(RESUME, f"scheduler={after}", "checkpoint.allow_change=[scheduler]")
    assert rates(ended)[AT] == 0.25
    assert "goes on at its level 0.25: it has seen no evaluation yet" in ended.err


def test_a_closed_loop_after_a_schedule_begins_at_the_base_rate(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=linear")
    ended = run_cli(RESUME, "scheduler=plateau", "checkpoint.allow_change=[scheduler]")
    assert rates(ended)[AT:] == [1.0] * 16
    assert "Plateau begins at the base rate" in ended.err


def sequence(patience: int) -> str:
    loop = "{length: 75%, schedule: {_target_: lrsched.schedulers.Plateau, threshold: 1e9, threshold_mode: abs, "
    return (
        "scheduler.parts=[{length: 25%, schedule: {_target_: lrsched.schedules.Constant}}, "
        f"{loop}factor: 0.5, patience: {patience}}}}}]"
    )


def test_the_closed_loop_of_a_sequence_keeps_its_level(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 12)
        assert run_cli(*RUN, "scheduler=sequence", sequence(0), "trainer.evaluate_every=2st").code == 143
    ended = run_cli(RESUME, sequence(99), "checkpoint.allow_change=[scheduler]")
    assert rates(ended) == [1.0] * 10 + [0.5] * 2 + [0.25] * 12  # an evaluation after 8, 10 and 12, and then no cut
    other = run_cli(
        RESUME, "scheduler=plateau", "checkpoint.allow_change=[scheduler]", "trainer.epochs=5", "trainer.on_extend=keep"
    )
    assert (other.code, "Handover came to cannot be handed over to Plateau" in other.err) == (2, True), other.err


def test_a_key_of_the_stored_config_needs_no_plus(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=torch/StepLR", "scheduler.step_size=1", "scheduler.gamma=0.5")
    refused = run_cli(RESUME, "scheduler.step_size=4")
    assert (refused.code, "scheduler.step_size=4: the run was started with 1" in refused.err) == (2, True), refused.err
    misspelt = run_cli(RESUME, "scheduler.stp_size=4")
    assert (misspelt.code, "did you mean 'scheduler.step_size'?" in misspelt.err) == (2, True), misspelt.err
    strange = run_cli(RESUME, "scheduler.warmup=5%")  # cosine, the default, has it
    assert (strange.code, "scheduler.warmup: there is no such key" in strange.err) == (2, True), strange.err
    change = ("scheduler.step_size=4", "checkpoint.allow_change=[scheduler.step_size]")
    assert run_cli(RESUME, *change, "--csv", "shown.csv", command="preview").code == 0
    assert rates(run_cli(RESUME, *change)) == [1.0] * 6 + [0.5] * 2 + [1.0] * 16


def test_a_mapping_is_merged_into_the_stored_one(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=linear", "dataset.augment={crop: 1}")
    ended = run_cli(RESUME, "dataset.augment={flip: true}", "checkpoint.allow_change=[dataset.augment]")
    assert ended.code == 0, ended.err
    assert ended.result()["changes"][0]["keys"] == {"dataset.augment.flip": [False, True]}


def test_other_parameter_groups_are_refused(run_cli, cut) -> None:  # noqa: F811
    cut("scheduler=linear")
    ended = run_cli(RESUME, "optimizer.weight_decay=0", "checkpoint.allow_change=[optimizer]")
    assert ended.code == 2
    assert "would put the parameters into the groups default, and the run has default, no_decay" in ended.err


@pytest.mark.parametrize(
    "word", rest_slow(["~scheduler.gamma", "~scheduler.gamma=0.5", "~scheduler.gamma=7"], ["~scheduler.gamma"])
)
def test_a_key_of_the_stored_config_is_not_taken_away(run_cli, cut, word: str) -> None:  # noqa: F811
    cut("scheduler=torch/StepLR", "scheduler.step_size=1", "scheduler.gamma=0.5")
    refused = run_cli(RESUME, word, "checkpoint.allow_change=[scheduler.gamma]")
    message = (
        "~scheduler.gamma: the run has scheduler.gamma=0.5, and a run that goes on keeps its keys; give it another"
    )
    assert (refused.code, message in refused.err) == (2, True), refused.err
    chosen = run_cli(RESUME, "scheduler=cosine", "~scheduler.warmup", "checkpoint.allow_change=[scheduler]")
    assert chosen.code == 0, chosen.err
    assert "\n  warmup:" not in (chosen.cwd / "outputs/run/config.yaml").read_text("utf-8")
