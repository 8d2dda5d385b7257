"""Log rows to MLflow, in a database file."""

from __future__ import annotations

import logging
import os
import re
import shlex
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from lrsched.checkpoint.lock import alone
from lrsched.errors import ConfigError
from lrsched.loggers._tracker import Shown, Tracker, numbers, without_login
from lrsched.loggers.base import Row, RunInfo
from lrsched.loggers.tensorboard import flat

SQLITE = "sqlite:///"

MOST_METRICS, MOST_PARAMS = 1000, 100
"""Of one request."""

LONGEST = 6000
"""Letters of a parameter's value."""

PATIENCE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read when the package is imported
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # 7 are four minutes in which the run stands, and hears no signal
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Variables of the environment that the package reads; those that are set already stay."""

STATUS = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}

_STRANGE = re.compile(r"[^\w./ -]")
"""What the names of metrics and parameters must not have."""


class MLflow(Tracker):
    """A run in MLflow's own database file, with the config as its parameters; a sweep is an experiment.

    The same run after a resume; a parameter that was changed then is the tag ``changed/NAME``, for MLflow's parameters
    are for ever. Pictures and texts that the task shows are artifacts beside the file.

    Args:
        uri: ``sqlite:///FILE``, or the address of a server; None: ``mlflow.db`` beside the run folder, or beside the
            sweep's.
        experiment: None: the sweep's name, ``lrsched`` for a run alone.

    Raises:
        ConfigError: a ``uri`` of another kind, an empty name, or the package is not installed.

    References:
        Zaharia et al., Accelerating the Machine Learning Lifecycle with MLflow, IEEE Data Eng. Bull. 41(4), 2018,
        http://sites.computer.org/debull/A18dec/p39.pdf
    """

    name: ClassVar[str] = "mlflow"

    def __init__(self, uri: str | None = None, experiment: str | None = None) -> None:
        if uri is not None and not str(uri).startswith((SQLITE, "http://", "https://")):
            rule = "must be sqlite:///FILE, or the address of a server: MLflow no longer keeps runs in a folder"
            raise ConfigError("uri", uri, rule, f"give {SQLITE}outputs/mlflow.db, or null for this")
        if experiment is not None and not str(experiment).strip():
            raise ConfigError("experiment", experiment, "is empty", "give a name, or null for the sweep's")
        super().__init__()
        self._uri, self._experiment = uri, experiment

    def start(self, run: RunInfo, id: str | None) -> str:
        uri = self._uri_of(run)
        if self._uri is None and "?" in uri:  # what follows it would be no part of the file's name
            raise ConfigError("uri", uri, "is in a folder with a ? in its name", f"give {SQLITE}FILE")
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # they tell of every table of a new file
        with _alone(uri):
            self._client = MlflowClient(tracking_uri=uri)
            experiment = self._experiment_id(run, uri)
        if id is None:
            tags = {"lrsched.folder": str(run.folder), **({} if run.group is None else {"lrsched.sweep": run.group})}
            id = str(self._client.create_run(experiment, run_name=run.folder.name, tags=tags).info.run_id)
        else:
            self._client.update_run(id, status="RUNNING")
        self._id, self._known = id, dict[str, set[int]]()
        self._describe(run)
        return id

    def where(self) -> str:
        uri = self._uri_of(self._run)
        return f"mlflow ui --backend-store-uri {shlex.quote(uri)}" if uri.startswith(SQLITE) else without_login(uri)

    def send(self, items: Sequence[Row | Shown]) -> None:
        from mlflow.entities import Metric

        now, found = int(1000 * time.time()), list[Any]()
        for item in items:
            if isinstance(item, Shown):
                self._client.log_artifact(self._id, str(item.file), "shown")
            else:
                named = {**numbers(item), "epoch": item["epoch"]}
                found += [Metric(named_as(name), value, now, int(item["step"])) for name, value in named.items()]
        for start in range(0, len(found), MOST_METRICS):
            self._client.log_batch(self._id, metrics=found[start : start + MOST_METRICS])

    def has(self, row: Row) -> bool:
        names = [named_as(name) for name in numbers(row)] or ["epoch"]
        for name in names:
            if name not in self._known:
                history = self._client.get_metric_history(self._id, name)
                self._known[name] = {point.step for point in history}
        return all(row["step"] in self._known[name] for name in names)

    def end(self, step: int, metrics: Mapping[str, float], status: str) -> None:
        for name, value in metrics.items():
            if name.startswith(("test/", "best/")):  # the others are in the rows
                self._client.log_metric(self._id, named_as(name), value, step=step)
        self._client.set_terminated(self._id, STATUS[status])

    def _uri_of(self, run: RunInfo) -> str:
        above = run.folder.parent if run.group is None else run.folder.parent.parent
        return self._uri or f"{SQLITE}{above.absolute() / 'mlflow.db'}"

    def _experiment_id(self, run: RunInfo, uri: str) -> str:
        name = self._experiment or run.group or "lrsched"
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        file = Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None
        place = None if file is None else (file.absolute().parent / "mlflow-artifacts").as_uri()
        return str(self._client.create_experiment(name, artifact_location=place))

    def _describe(self, run: RunInfo) -> None:
        """Send the config: what is new as parameters, what was changed as tags."""
        from mlflow.entities import Param

        kept = dict(self._client.get_run(self._id).data.params)
        config = {named_as(name): str(value)[:LONGEST] for name, value in flat(run.config).items()}
        new = [Param(name, value) for name, value in config.items() if name not in kept]
        for start in range(0, len(new), MOST_PARAMS):
            self._client.log_batch(self._id, params=new[start : start + MOST_PARAMS])
        for name, value in config.items():
            if kept.get(name, value) != value:
                self._client.set_tag(self._id, f"changed/{name}", value)


def named_as(name: str) -> str:
    """A name as MLflow takes it.

    >>> named_as("lr/head.*"), named_as("val/top/5")
    ('lr/head._', 'val/top/5')
    """
    return _STRANGE.sub("_", name)


@contextmanager
def _alone(uri: str) -> Generator[None]:
    """Let one process at a time make a database file: two at once would break it."""
    if not uri.startswith(SQLITE):
        yield
        return
    file = Path(uri.removeprefix(SQLITE))
    file.parent.mkdir(parents=True, exist_ok=True)
    with alone(file):
        yield
