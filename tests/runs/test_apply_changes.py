"""A run that is resumed with other settings on purpose: the rate of every row, by formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from lrsched.checkpoint.store import Store
from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

STEPS = 24  # four epochs of six
AT = 8
RUN = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", "optimizer.lr=1.0", "logger=none", "name=run")
RESUME = "resume=outputs/run"
NEVER_BETTER = ("scheduler.threshold=1e9", "scheduler.threshold_mode=abs")  # than the first evaluation


@pytest.fixture
def cut(run_cli, monkeypatch):
    """A run that was stopped after update 7, and the function that goes on with it."""

    def begin(*overrides: str) -> None:
        with monkeypatch.context() as patch:
            stop_at(patch, AT - 1)
            assert run_cli(*RUN, *overrides).code == 143

    return begin


def rates(ended) -> list[float]:
    assert ended.code == 0, ended.err
    return [row["lr/default"] for row in ended.rows() if "lr/default" in row]


def group(step: int) -> dict:
    checkpoint = next(c for c in Store(Path("outputs/run/checkpoints")).committed() if c.step == step)
    return torch.load(checkpoint.path / "state.pt", weights_only=True)["optimizer"]["param_groups"][0]


def linear(step: int) -> float:
    return 1 - step / STEPS


def test_a_table_is_the_new_one_from_here_on(run_cli, cut) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, "optimizer.lr=0.5", "checkpoint.allow_change=[optimizer.lr]")
    assert rates(ended) == [linear(t) for t in range(AT)] + [0.5 * linear(t) for t in range(AT, STEPS)]
    note = "from step 8 on: optimizer.lr 1.0 -> 0.5"
    assert note in ended.err
    assert note in Path("outputs/run/train.log").read_text("utf-8")
    changes = ended.result()["changes"]
    assert [(change["at"], change["keys"]) for change in changes] == [(8, {"optimizer.lr": [1.0, 0.5]})]
    stored = yaml.safe_load(Path("outputs/run/config.yaml").read_text("utf-8"))
    assert stored["optimizer"]["lr"] == 0.5
    assert stored["checkpoint"]["changes"] == changes
    assert stored["checkpoint"]["allow_change"] == []  # of that command alone
    newest = Store(Path("outputs/run/checkpoints")).committed()[0].manifest
    assert (newest["changes"], newest["config_sha256"]) == (changes, ended.result()["config_sha256"])
    assert changes[0]["config_sha256"] != newest["config_sha256"]


def test_another_schedule_from_here_on(run_cli, cut) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, "scheduler=constant", "checkpoint.allow_change=[scheduler]")
    assert rates(ended) == [linear(t) for t in range(AT)] + [1.0] * 16
    assert list(ended.result()["changes"][0]["keys"]) == ["scheduler"]


def test_from_pytorchs_class_to_ours_and_back(run_cli, cut, monkeypatch) -> None:
    cut("scheduler=torch/StepLR", "scheduler.step_size=1", "scheduler.gamma=0.5", "scheduler.interval=epoch")
    with monkeypatch.context() as patch:
        stop_at(patch, 11)
        assert run_cli(RESUME, "scheduler=linear", "checkpoint.allow_change=[scheduler]").code == 143
    ended = run_cli(
        RESUME,
        "scheduler=torch/MultiStepLR",
        "scheduler.milestones=[2,3]",
        "scheduler.gamma=0.1",
        "scheduler.interval=epoch",
        "checkpoint.allow_change=[scheduler]",
    )
    # The new class is brought to update 12: two epochs are over when it is made, so the first milestone is reached.
    expected = [1.0] * 6 + [0.5] * 2 + [linear(t) for t in range(8, 12)] + [0.1] * 6 + [0.1 * 0.1] * 6
    assert rates(ended) == pytest.approx(expected, rel=1e-15)


def test_the_rate_in_force_of_pytorchs_class_follows_the_base_rate(run_cli, cut) -> None:
    cut("scheduler=torch/StepLR", "scheduler.step_size=1", "scheduler.gamma=0.5", "scheduler.interval=epoch")
    ended = run_cli(RESUME, "optimizer.lr=0.25", "checkpoint.allow_change=[optimizer.lr]")
    assert rates(ended) == [1.0] * 6 + [0.5] * 2 + [0.125] * 4 + [0.0625] * 6 + [0.03125] * 6


def test_the_children_of_a_composite_follow_too(run_cli, cut) -> None:
    # ConstantLR 0.5 for 2 epochs, and then ExponentialLR 0.5 an epoch: closed formulas of base_lrs.
    children = (
        "[{_target_: torch.optim.lr_scheduler.ConstantLR, factor: 0.5, total_iters: 2},"
        "{_target_: torch.optim.lr_scheduler.ExponentialLR, gamma: 0.5}]"
    )
    cut("scheduler=torch/SequentialLR", f"scheduler.schedulers={children}", "scheduler.milestones=[2]")
    ended = run_cli(RESUME, "optimizer.lr=2.0", "checkpoint.allow_change=[optimizer]")
    assert rates(ended) == [0.5] * 8 + [1.0] * 4 + [2.0] * 6 + [1.0] * 6


def test_a_plateaus_level_follows_and_a_changed_one_starts_anew(run_cli, cut) -> None:
    plateau = ("scheduler=plateau", "scheduler.patience=0", *NEVER_BETTER, "scheduler.factor=0.5")
    cut(*plateau)  # an evaluation each epoch: the first is taken for the best, the next ones cut
    ended = run_cli(RESUME, "optimizer.lr=4.0", "checkpoint.allow_change=[optimizer.lr]")
    first = rates(ended)
    assert first[:AT] == [1.0] * AT
    assert first[AT:] == [4.0] * 4 + [2.0] * 6 + [1.0] * 6


def test_a_changed_plateau_keeps_its_level_and_what_it_has_seen(run_cli, cut) -> None:
    cut("scheduler=plateau", "scheduler.patience=0", *NEVER_BETTER, "scheduler.factor=0.5")
    ended = run_cli(RESUME, "scheduler.factor=0.25", "checkpoint.allow_change=[scheduler.factor]")
    # It has seen the evaluation after step 6: those after 12 and 18 cut, as in a run of the new factor.
    assert rates(ended) == [1.0] * 12 + [0.25] * 6 + [0.0625] * 6
    assert "Plateau goes on at its level 1: it keeps what it has seen" in ended.err


def test_hyperparameters_come_from_the_config_and_buffers_stay(run_cli, cut) -> None:
    cut("scheduler=constant")
    before = torch.load("outputs/run/checkpoints/step-0000000008/state.pt", weights_only=True)["optimizer"]
    assert (
        run_cli(
            RESUME,
            "optimizer.weight_decay=0.25",
            "optimizer.momentum=0.5",
            "trainer.clip_norm=0.125",
            "checkpoint.allow_change=[optimizer,trainer.clip_norm]",
            "checkpoint.keep=99",
        ).code
        == 0
    )
    after = group(24)
    assert (after["weight_decay"], after["momentum"], after["lr"]) == (0.25, 0.5, 1.0)
    assert before["param_groups"][0]["momentum"] == 0.9
    assert len(before["state"]) > 0


def test_a_changed_rule_of_the_update_is_the_one_that_is_used(run_cli, cut) -> None:
    # With a bound of 1e-30 on the gradient, no weight decay and no momentum nothing moves any more.
    cut("scheduler=constant", "optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.weight_decay=0")
    path = "outputs/run/checkpoints/step-0000000008/state.pt"
    before = torch.load(path, weights_only=True)["model"]
    assert run_cli(RESUME, "trainer.clip_norm=1e-30", "checkpoint.allow_change=[trainer]").code == 0
    after = torch.load("outputs/run/checkpoints/step-0000000024/state.pt", weights_only=True)["model"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_change_before_the_next_save_is_made_again_from_the_same_step(run_cli, cut) -> None:
    cut("scheduler=linear", "checkpoint.every=8st", "checkpoint.keep=9")
    change = (RESUME, "optimizer.lr=0.5", "checkpoint.allow_change=[optimizer.lr]")
    once = rates(run_cli(*change))
    weights = run_cli(RESUME).out, yaml.safe_load(Path("outputs/run/result.json").read_text())["weights_sha256"]
    # As if the process had been killed before it saved: of the checkpoints there is only the one before the change.
    for step in (16, 24):
        for file in ("manifest.json", "state.pt"):
            Path(f"outputs/run/checkpoints/step-{step:010d}/{file}").unlink()
    Path("outputs/run/result.json").unlink()
    again = run_cli(RESUME)
    assert "from step 8 on: optimizer.lr 1.0 -> 0.5" in again.err
    assert rates(again) == once
    assert again.result()["weights_sha256"] == weights[1]


def test_all_changes_are_listed_and_none_is_made(run_cli, cut) -> None:
    cut("scheduler=linear")
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    ended = run_cli(RESUME, "optimizer.lr=0.5", "seed=7", "checkpoint.allow_change=[scheduler]")
    assert ended.code == 2
    assert "optimizer.lr=0.5: the run was started with 1.0, seed=7 with 0, and a resumed run keeps its config" in (
        ended.err
    )
    assert "checkpoint.allow_change=[optimizer.lr,seed]" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()} == before


def test_a_permission_is_for_one_command(run_cli, cut) -> None:
    cut("scheduler=linear", "checkpoint.allow_change=[optimizer.lr]")
    assert run_cli(RESUME, "optimizer.lr=0.5").code == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("checkpoint.allow_change=[optimizer.rl]",),
            "checkpoint.allow_change=optimizer.rl: there is no such key; did",
        ),
        (
            ("optimizer=adamw", "checkpoint.allow_change=[optimizer]"),
            "optimizer._target_=torch.optim.AdamW: the run has the buffers of torch.optim.SGD",
        ),
        (("checkpoint.changes=[]",), "checkpoint.changes=[]: is written by a resumed run, and not for the hand"),
    ],
)
def test_what_cannot_be_allowed(run_cli, cut, overrides, message) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, *overrides)
    assert (ended.code, message in ended.err) == (2, True), ended.err


def test_a_model_of_another_shape_does_not_fit(run_cli, cut) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, "model.hidden=[7]", "checkpoint.allow_change=[model]")
    assert ended.code == 4
    assert "does not fit" in ended.err


def test_another_batch_size_keeps_the_epoch_and_says_the_length(run_cli, cut) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, "dataset.batch_size=43", "checkpoint.allow_change=[dataset.batch_size]")
    assert "dataset.batch_size 16 -> 43; the run now has 14 steps, 2 an epoch" in ended.err
    assert (ended.code, ended.result()["step"]) == (0, 14)  # 54 samples are left of the second epoch


def test_what_is_free_wins_and_is_said(run_cli, cut) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, "checkpoint.keep=1", "logger=[csv]")
    assert ended.code == 0, ended.err
    assert "the new value counts: checkpoint.keep: 2 -> 1" in ended.err
    assert Path("outputs/run/metrics.csv").exists()
    assert len(list(Path("outputs/run/checkpoints").iterdir())) == 1


def test_a_config_that_was_changed_by_hand_is_noticed(run_cli, cut) -> None:
    cut("scheduler=linear")
    config = Path("outputs/run/config.yaml")
    config.write_text(config.read_text("utf-8").replace("lr: 1.0", "lr: 0.5"), "utf-8")
    ended = run_cli(RESUME)
    assert ended.code == 4
    assert "outputs/run/config.yaml is not the config that" in ended.err
    assert "checkpoint.allow_change=[KEY]" in ended.err


def test_other_data_are_noticed_and_may_be_allowed(run_cli, cut, monkeypatch) -> None:
    from lrsched.data.synthetic import Synthetic

    cut("scheduler=linear")
    original = Synthetic.load

    def other(self):
        arrays = original(self)
        arrays.train_x[0, 0, 0, 0] += 1
        return arrays

    monkeypatch.setattr(Synthetic, "load", other)
    ended = run_cli(RESUME)
    assert ended.code == 4
    assert "dataset lrsched.data.Synthetic: its data have SHA-256" in ended.err
    assert run_cli(RESUME, "checkpoint.allow_change=[dataset]", "trainer.clip_norm=null").code == 0
    result = yaml.safe_load(Path("outputs/run/result.json").read_text())
    old, new = result["changes"][0]["keys"]["data_sha256"]
    assert (new, result["changes"][0]["at"]) == (result["data_sha256"], 8)
    assert old != new


def test_a_lengthened_run_is_a_changed_one_too(run_cli, cut) -> None:
    cut("scheduler=linear")
    ended = run_cli(RESUME, "trainer.epochs=5", "trainer.on_extend=keep")
    assert ended.code == 0, ended.err
    assert [change["keys"] for change in ended.result()["changes"]] == [{"trainer.epochs": [4, 5]}]
