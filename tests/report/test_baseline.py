"""Adam with its defaults, the first line of what a report says: what it came to, or how to add it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lrsched.compose.nodes import plain
from lrsched.python.words import config_of
from lrsched.report import compare_paths
from lrsched.report.notes import ADAM, baseline, missing_baseline, verdicts
from lrsched.report.terminal import render

OWN: dict[str, Any] = {
    "_target_": "torch.optim.Adam",
    "lr": 1e-3,
    "betas": [0.9, 0.999],
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
}


def said(path: Path) -> list[str]:
    (comparison,) = compare_paths([path]).comparisons
    return baseline(comparison)


def missing(path: Path) -> tuple[str, str] | None:
    (comparison,) = compare_paths([path]).comparisons
    return missing_baseline(comparison)


def test_it_is_the_shipped_adam() -> None:
    """Each value is that of the YAMLs: a report finds the runs of the command that it names."""
    config = plain(config_of(["optimizer=adam", "scheduler=constant", "name=x"], {}, None))
    for key, wanted in ADAM.items():
        group, name = key.split(".")
        found = config[group][name]
        assert (str(found).replace(" ", "") if isinstance(found, list) else found) == wanted, key


def test_where_it_is_its_result_is_said(leave, tmp_path: Path) -> None:
    for seed in range(2):
        leave("Cosine", 0.1, seed, 0.4 + seed / 10)
        leave("Constant", 1e-3, seed, 0.5 + seed / 10, optimizer=OWN)
    assert said(tmp_path) == ["baseline, Adam with its defaults: val/loss 0.5500 (seeds 0–1)"]
    (comparison,) = compare_paths([tmp_path]).comparisons
    assert verdicts(comparison)[-1] == said(tmp_path)[0]
    assert said(tmp_path)[0] in render(compare_paths([tmp_path]))
    assert missing(tmp_path) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduler__warmup": "1ep"},
        {"optimizer": {**OWN, "betas": [0.9, 0.95]}},
        {"optimizer": {**OWN, "weight_decay": 0.1}},
        {"optimizer": {**OWN, "_target_": "torch.optim.AdamW"}},
        {"scheduler___target_": "lrsched.schedules.Cosine"},
    ],
    ids=["warm-up", "betas", "decay", "AdamW", "cosine"],
)
def test_another_one_is_not_it(leave, tmp_path: Path, changes: dict[str, Any]) -> None:
    leave("Step", 0.1, 0, 0.4)
    leave("Constant", 1e-3, 0, 0.5, **{"optimizer": OWN, **changes})
    words = (
        "the same command with optimizer=adam scheduler=constant in place of its own optimizer and scheduler adds it"
    )
    told = f"Adam with its defaults, a baseline that wants no tuning, is not among them; {words}"
    assert missing(tmp_path) == (told, "")
    assert said(tmp_path) == []
    assert f"note: {told}" in " ".join(render(compare_paths([tmp_path])).split())


def test_another_rate_is_not_its_default(leave, tmp_path: Path) -> None:
    leave("Step", 0.1, 0, 0.4)
    leave("Constant", 0.01, 0, 0.5, optimizer={**OWN, "lr": 0.01})
    assert said(tmp_path) == []
    assert missing(tmp_path) is not None


def test_without_a_finished_run_there_is_no_word_of_it(leave, tmp_path: Path) -> None:
    leave("Step", 0.1, 0, None, status="failed")
    leave("Step", 0.1, 1, 0.3, status="stopped")
    assert said(tmp_path) == []
    assert missing(tmp_path) is None


@pytest.mark.slow
def test_the_command_of_a_sweep_adds_it(run_cli) -> None:
    words = ("dataset=synthetic", "dataset.samples=120", "trainer.epochs=1", "logger=none", "trainer.progress=false")
    ended = run_cli(*words, "scheduler=cosine,constant", "optimizer.lr=0.1", "seed=0,1", "name=s", "-m")
    assert ended.code == 0, ended.err
    told = missing(ended.cwd / "outputs" / "s")
    assert told is not None
    command = told[1]
    assert f"\n  {command[:40]}" in ended.out
    assert f'<code class="command">{command}</code>' in (ended.cwd / "outputs" / "s" / "report.html").read_text("utf-8")
    assert command.startswith("lrsched train -m dataset=synthetic ")
    assert command.endswith(" optimizer=adam scheduler=constant seed=0,1 name=s")
    again = run_cli(*command.split()[2:])
    assert again.code == 0, again.err
    (found,) = compare_paths([Path("outputs/s")]).comparisons
    assert missing_baseline(found) is None
    assert baseline(found)[0].startswith("baseline, Adam with its defaults: val/loss ")
