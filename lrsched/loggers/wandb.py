"""Log rows to Weights & Biases, without a network."""

from __future__ import annotations

import html
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from lrsched.errors import ConfigError
from lrsched.loggers._tracker import Shown, Tracker, numbers
from lrsched.loggers.base import Row, RunInfo

QUIET = {
    "console": "off",  # what is printed may hold secrets
    "disable_git": True,
    "disable_job_creation": True,
    "save_code": False,
    "silent": True,
    "symlink": False,  # a run folder holds its own files
    "x_disable_machine_info": True,
    "x_disable_meta": True,  # the command line
    "x_disable_stats": True,
}
"""Settings under which the package sends rows and the config, and nothing that it finds by itself."""


_PROJECT = re.compile(r"[^/\\#?%:\x00-\x1f]{1,128}")


class WandB(Tracker):
    """An offline run of W&B below ``wandb/``, for ``wandb sync`` to send later.

    The same id and group after a resume. The package cannot go on with an offline run: each resume writes a folder of
    its own with the same id, and one ``wandb sync`` of all sends them in their order. Rows that a run took back after a
    checkpoint held them (``trainer.on_nonfinite``) stay as they were first.

    Args:
        project: of W&B.
        entity: a user or a team; None: that of the login, when it is sent.

    Raises:
        ConfigError: a name that W&B does not take, or the package is not installed.

    References:
        Biewald, Experiment Tracking with Weights and Biases, 2020, https://www.wandb.com
    """

    name: ClassVar[str] = "wandb"

    def __init__(self, project: str = "lrsched", entity: str | None = None) -> None:
        if not _PROJECT.fullmatch(str(project)):
            rule = "must be 1 to 128 characters, none of them / \\ # ? % :"
            raise ConfigError("project", project, rule, "give another name, as lrsched")
        super().__init__()
        self._project, self._entity = project, entity

    def start(self, run: RunInfo, id: str | None) -> str:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when the package is imported: it would reach out
        import wandb

        id = id or uuid4().hex[:12]

        self._wandb: Any = wandb
        self._run_there = wandb.init(
            project=self._project,
            entity=self._entity,
            id=id,
            name=run.folder.name,
            group=run.group,
            dir=run.folder,
            mode="offline",
            resume="allow",
            reinit="create_new",  # a notebook may have a run of its own
            config=dict(run.config),
            settings=wandb.Settings(**QUIET),
        )
        _unlink(run.folder / "wandb")
        return id

    def where(self) -> str:
        return f"wandb sync {shlex.quote(str(self._run.folder / 'wandb'))}/offline-run-*-{self._sent.id}"

    def send(self, items: Sequence[Row | Shown]) -> None:
        for item in items:
            if isinstance(item, Shown):
                self._run_there.log({f"shown/{item.name}": self._made(item)}, step=item.step)
            else:
                self._run_there.log({"epoch": item["epoch"], **numbers(item)}, step=int(item["step"]))
        dict(self._run_there.summary)  # asks the package's own process, which answers when it has all of them

    def end(self, step: int, metrics: Mapping[str, float], status: str) -> None:
        self._run_there.summary.update({**metrics, "status": status})
        self._run_there.finish(exit_code=int(status == "failed"))
        _unlink(self._run.folder / "wandb")

    def _made(self, shown: Shown) -> Any:
        if shown.file.suffix == ".png":
            return self._wandb.Image(str(shown.file))
        return self._wandb.Html(f"<pre>{html.escape(shown.file.read_text('utf-8'))}</pre>", inject=False)


def _unlink(folder: Path) -> None:
    """Remove links: a run is not resumed in a folder with one. The package links to its own log, wherever that is."""
    for path, _, files in os.walk(folder):
        for name in files:
            if os.path.islink(file := os.path.join(path, name)):
                os.unlink(file)
