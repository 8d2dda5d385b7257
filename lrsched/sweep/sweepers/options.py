"""The keys of ``hydra.sweeper`` of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from lrsched.config.rules import Rule, at_least, one_of, ruled
from lrsched.errors import ConfigError
from lrsched.sweep.sweepers.pruning import PRUNERS


def _database(key: str, url: Any) -> None:
    """Check a URL, without connecting."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    try:
        if url is not None:
            create_engine(url)
    except (ArgumentError, ImportError, ValueError) as error:  # (the URL may hold a password)
        remedy = "give a URL, as in sqlite:///study.db, and install what speaks to it"
        raise ConfigError(key, "…", str(error), remedy) from error


@dataclass
class StudyOptions:
    """The keys of ``hydra.sweeper``, explained in conf/hydra/sweeper/optuna.yaml."""

    n_trials: int = ruled(20, at_least(1))
    n_jobs: Optional[int] = ruled(None, at_least(1))  # noqa: UP045
    sampler: str = ruled("tpe", one_of("tpe", "random"))
    pruner: str = ruled("none", one_of(*PRUNERS))
    rungs: Optional[int] = ruled(None, at_least(1))  # noqa: UP045
    n_startup_trials: int = ruled(5, at_least(1))
    eta: int = ruled(3, at_least(2))
    seed: int = ruled(0, at_least(0))
    storage: Optional[str] = ruled(None, Rule(_database, {}, "must be the URL of a database"))  # noqa: UP045
    study_name: Optional[str] = None  # noqa: UP045
    custom_search_space: Optional[str] = None  # noqa: UP045

    def __post_init__(self) -> None:
        if self.rungs is not None and self.pruner == "none":
            rule = "there is no pruner that judges trials at them"
            raise ConfigError("hydra.sweeper.rungs", self.rungs, rule, "give hydra.sweeper.pruner=median")
