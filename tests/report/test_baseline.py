"""Adam with its defaults, the first line of what a report says: what it came to, or how to add it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrsched.compose.nodes import plain
from lrsched.python.words import config_of
from lrsched.report import compare_paths
from lrsched.report.baseline import ADAM, GRID, baseline, missing_baseline
from lrsched.report.notes import verdicts
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


def swept(
    leave: Callable[..., Path], jobs: list[list[str]], source: str = "", sweeper: str = GRID, **changes: Any
) -> Path:
    """A sweep of Step, as its files say of it: its folder."""
    runs = [leave("Step", 0.1, seed, 0.4, **changes) for seed in range(len(jobs))]
    said = [{"run_id": run.name, "overrides": job} for run, job in zip(runs, jobs, strict=True)]
    folder = runs[0].parent
    (folder / "sweep.json").write_text(json.dumps({"jobs": said}), "utf-8")
    sources = [{"provider": "main", "path": "lrsched.conf"}, {"provider": "command-line", "path": source}]
    hydra = {"sweeper": {"_target_": sweeper}, "runtime": {"config_sources": sources[: 2 if source else 1]}}
    (folder / "multirun.yaml").write_text(json.dumps({"hydra": hydra}), "utf-8")
    return folder


def test_the_command_has_what_the_sweep_had(leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder of configs, its trusted modules, six of its seeds; but neither its zip nor its schedules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", "my_models:other")
    own = ["model=tiny", "scheduler=step", "optimizer.lr=0.1", "sweep.zip=[scheduler,optimizer.lr]", "name=sweep"]
    jobs = [[*own, f"seed={seed}", "+scheduler.every=2ep", "trainer.epochs=1"] for seed in range(30)]
    folder = swept(leave, jobs, str(tmp_path / "my conf"), model={"_target_": "my_models.Tiny"})
    assert missing(folder) == (
        "Adam with its defaults, a baseline that wants no tuning, is not among them; this adds it:",
        "LRSCHED_TRUST=my_models lrsched train -m model=tiny trainer.epochs=1 optimizer=adam scheduler=constant"
        " seed=0,1,2,3,4,5 --config-dir 'my conf' name=sweep",
    )


def test_a_project_needs_no_flag_for_its_configs(leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.lrsched]\n", "utf-8")
    told = missing(swept(leave, [["name=sweep"]], str(tmp_path / "conf")))
    assert told is not None
    assert told[1] == "lrsched train -m optimizer=adam scheduler=constant seed=0 name=sweep"


def test_an_experiment_does_not_set_its_values(leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its YAML comes after that of ``optimizer=adam``, and would win."""
    monkeypatch.chdir(tmp_path)
    optimizer = {"_target_": "torch.optim.AdamW", "betas": [0.9, 0.95], "weight_decay": 0.0}
    told = missing(swept(leave, [["experiment=bytes", "seed=0"]], optimizer=optimizer, scheduler__warmup="60st"))
    assert told is not None
    assert told[1] == (
        "lrsched train -m experiment=bytes optimizer=adam scheduler=constant optimizer.lr=0.001"
        " 'optimizer.betas=[0.9,0.999]' scheduler.warmup=0st seed=0 name=sweep"
    )


def test_beside_a_study_it_has_a_name_of_its_own(leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid in the folder of a study would end the study: it goes on with its own trials alone."""
    monkeypatch.chdir(tmp_path)
    told = missing(swept(leave, [["name=sweep"]], sweeper="hydra_plugins.lrsched_sweep.OptunaSweeper"))
    assert told is not None
    assert told[0].endswith("is not among them; this trains it, for lrsched report sweep sweep-adam:")
    assert told[1].endswith(" seed=0 name=sweep-adam")


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
