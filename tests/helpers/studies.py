"""Studies: their command, and what their file holds, as Optuna itself reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import TINY

STUDY = ("-m", *TINY, "logger=none", "hydra/sweeper=optuna", "name=sweep", "hydra.sweeper.n_jobs=4")


def stored_study(name: str = "sweep", url: str = "") -> tuple[list[Any], str]:
    """The trials and the direction of a study; what is opened for it is closed."""
    optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")
    storage = optuna.storages.RDBStorage(url or f"sqlite:///outputs/{name}/study.db")
    try:
        study = optuna.load_study(study_name=name, storage=storage)
        return study.trials, study.direction.name
    finally:
        storage.remove_session()
        storage.engine.dispose()


def experiment(*lines: str, more: str = "") -> tuple[str, ...]:
    """Write an experiment with these parameters; the words that choose it."""
    Path("my_conf/experiment").mkdir(parents=True, exist_ok=True)
    text = "# @package _global_\nhydra:\n  sweeper:\n" + more + "    params:\n" + "".join(f"      {x}\n" for x in lines)
    Path("my_conf/experiment/mine.yaml").write_text(text)
    return ("--config-dir", "my_conf", "experiment=mine")


def searched() -> list[tuple[dict[str, Any], str]]:
    return [(trial.params, trial.state.name) for trial in stored_study()[0]]


def some_slow(cases: list[Any], quick: Any) -> list[Any]:
    """The cases; those that are not quick belong to the long tier."""
    return [pytest.param(*case, marks=() if quick(case) else pytest.mark.slow) for case in cases]
