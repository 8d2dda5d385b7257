"""The names that other libraries give to our keys."""

from __future__ import annotations

import pytest

from lrsched.config.peers import nearest_key


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("scheduler.num_warmup_steps=5", "'scheduler.warmup'"),
        ("scheduler.eta_min=0", "'scheduler.final'"),
        ("scheduler.warmup_lr_init=0", "'scheduler.warmup_start'"),
        ("scheduler.num_training_steps=100", "'trainer.steps'"),
        ("optimizer.learning_rate=1", "'optimizer.lr'"),
        ("trainer.learning_rate=1", "'optimizer.lr'"),
        ("warmup_steps=8", "'scheduler.warmup'"),
        ("trainer.gradient_accumulation_steps=2", "'trainer.accumulate'"),
        ("+trainer.max_grad_norm=1", "'clip_norm'"),
        ("checkpoint.save_total_limit=1", "'checkpoint.keep'"),
    ],
)
def test_a_peers_name_is_answered_by_ours(run_cli, given: str, meant: str) -> None:
    ended = run_cli(given)
    assert ended.code == 2
    assert f"did you mean {meant}?" in ended.err


def test_what_is_spelt_alike_is_still_found() -> None:
    assert nearest_key("scheduler.warmup_stat", ["scheduler.warmup", "scheduler.warmup_start"]).endswith(
        "'scheduler.warmup_start'?"
    )
    assert nearest_key("step_size", ["every", "gamma"]) == "did you mean 'every'?"
    assert nearest_key("step_size", ["gamma", "power"]) == "known are: gamma, power"
