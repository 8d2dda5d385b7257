"""The preview says what lint says, and draws every group."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["scheduler.final={absolute: 0.5}"],
            "lies above the base value 0.1",
        ),
        (
            ["scheduler=torch/CosineAnnealingLR", "scheduler.T_max=10"],
            "warning: scheduler.T_max=10: the rate",
        ),
        (["optimizer.layer_decay=foo"], "optimizer.layer_decay=foo: must be a number or null"),
    ],
)
def test_it_warns_and_refuses_like_a_run(run_cli, overrides: list[str], said: str) -> None:
    assert said in run_cli("trainer.epochs=20", *overrides, command="preview").err


def test_it_draws_every_group(run_cli) -> None:
    ended = run_cli("optimizer.layer_decay=0.75", command="preview")
    assert ended.code == 0, ended.err
    assert "lr/layer0 between" in ended.out
    assert "no group is called default; peak, last and area are those of layer1" in ended.out
    assert "group" not in run_cli(command="preview").out
