"""What the file of a study holds, as Optuna itself reads it."""

from __future__ import annotations

from typing import Any

import pytest


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
