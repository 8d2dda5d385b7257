"""A run that is continued for another length: by a policy, from where it stands; its past stays what it was."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

RUN = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "optimizer.lr=1.0", "scheduler=linear", "name=run")
STEPS = 24  # four epochs of six; now eight
PLANNED = [1 - t / 24 for t in range(24)]

# v = PLANNED[23] = 1/24 is in force when the run has finished; 24 steps are left.
AFTER_THE_END = {
    "keep": [1 / 24] * 24,
    "stretch": [1 - t / 48 for t in range(24, 48)],
    "cooldown": [1 / 24] * 19 + [1 / 24 * (1 - i / 5) for i in range(5)],  # 20 % of 24 is 4.8: 5 steps
    "restart": PLANNED,
    "reanneal": [1 / 24 * (1 - i / 24) for i in range(24)],
}


def rates(ended) -> list[float]:
    assert ended.code == 0, ended.err
    rows = {row["step"]: row["lr/default"] for row in ended.rows() if "lr/default" in row}
    assert list(rows) == list(range(len(rows)))
    return list(rows.values())


@pytest.mark.parametrize("policy", AFTER_THE_END)
def test_a_finished_run_goes_on_by_the_policy(run_cli, policy: str) -> None:
    before = rates(run_cli(*RUN))
    ended = run_cli("resume=outputs/run", "trainer.epochs=8", f"trainer.on_extend={policy}")
    after = rates(ended)
    assert before == PLANNED == after[:STEPS]
    assert after[STEPS:] == pytest.approx(AFTER_THE_END[policy], rel=1e-12)
    assert (ended.result()["step"], ended.result()["status"]) == (48, "finished")
    log = (ended.cwd / "outputs" / "run" / "train.log").read_text("utf-8")
    assert f"planned for another length until step 24; from there on: {policy}" in log


def test_another_length_without_a_policy_is_refused_and_nothing_changes(run_cli) -> None:
    run_cli(*RUN)
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    ended = run_cli("resume=outputs/run", "trainer.epochs=8")
    assert ended.code == 2
    assert "trainer.on_extend=null: the run is to have another length: how is its schedule to go on?" in ended.err
    assert all(policy in ended.err for policy in AFTER_THE_END)
    assert {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()} == before


def test_the_same_length_needs_no_policy(run_cli) -> None:
    run_cli(*RUN)
    ended = run_cli("resume=outputs/run", "trainer.epochs=4")
    assert (ended.code, "nothing to do" in ended.err) == (0, True)


def test_a_lengthened_run_that_is_stopped_goes_on_as_if_it_had_not_been(run_cli, monkeypatch) -> None:
    run_cli(*RUN)
    with monkeypatch.context() as patch:
        stop_at(patch, 30)
        assert run_cli("resume=outputs/run", "trainer.epochs=8", "trainer.on_extend=restart").code == 143
    after = rates(run_cli("resume=outputs/run"))
    assert after == PLANNED * 2


def test_a_run_can_be_lengthened_twice_and_shortened(run_cli) -> None:
    run_cli(*RUN)
    run_cli("resume=outputs/run", "trainer.epochs=8", "trainer.on_extend=restart")
    again = run_cli("resume=outputs/run", "trainer.epochs=9")  # the first policy does not count for the second length
    assert (again.code, "how is its schedule to go on?" in again.err) == (2, True)
    after = rates(run_cli("resume=outputs/run", "trainer.epochs=9", "trainer.on_extend=keep"))
    assert after == PLANNED * 2 + [PLANNED[-1]] * 6
    ended = run_cli("resume=outputs/run", "trainer.epochs=2", "trainer.on_extend=keep")
    assert ended.code == 2
    assert "54 steps are already done, and the run is to have 12" in ended.err


def test_what_pytorch_would_ignore_without_a_word_is_refused(run_cli) -> None:
    run_cli(*RUN, "scheduler=torch/CosineAnnealingLR")
    ended = run_cli("resume=outputs/run", "trainer.epochs=8", "trainer.on_extend=stretch")
    assert ended.code == 2
    assert "CosineAnnealingLR with a length of auto, which its state keeps, can only go on as planned" in ended.err


def test_the_preview_shows_what_the_lengthened_run_will_do(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 11)
        assert run_cli(*RUN).code == 143
    overrides = ("resume=outputs/run", "trainer.epochs=6", "trainer.on_extend=reanneal")
    assert run_cli(*overrides, "--csv", "shown.csv", command="preview").code == 0
    with open("shown.csv", newline="") as file:
        shown = [float(row["lr/default"]) for row in csv.DictReader(file)]
    assert rates(run_cli(*overrides)) == shown
    assert shown[:12] == PLANNED[:12]


LIVE = {
    "StepLR": ("scheduler=torch/StepLR", "scheduler.step_size=1"),
    "ReduceLROnPlateau": ("scheduler=torch/ReduceLROnPlateau",),
    "Plateau": ("scheduler=plateau",),
}


@pytest.mark.parametrize(
    "policy", ["cooldown", *(pytest.param(name, marks=pytest.mark.slow) for name in ("restart", "reanneal"))]
)
@pytest.mark.parametrize("name", LIVE)
def test_a_policy_that_a_live_scheduler_has_no_curve_for_is_refused(
    run_cli, monkeypatch, name: str, policy: str
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        assert run_cli(*RUN, *LIVE[name]).code == 143
    stored = Path("outputs/run/config.yaml").read_bytes()
    ended = run_cli("resume=outputs/run", "trainer.epochs=5", f"trainer.on_extend={policy}")
    assert ended.code == 2
    assert f"trainer.on_extend={policy}: {name} runs live, and has no schedule of which this could be made" in ended.err
    assert Path("outputs/run/config.yaml").read_bytes() == stored
