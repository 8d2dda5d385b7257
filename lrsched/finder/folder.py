"""The folder of an answer: whose runs it holds, and what was asked of them."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lrsched.checkpoint.lock import RunLock
from lrsched.compose.nodes import plain
from lrsched.compose.outside import composed
from lrsched.config.digest import config_sha256
from lrsched.errors import ConfigError, storage
from lrsched.finder.answer import FILE
from lrsched.finder.request import FindRequest, bare
from lrsched.records import RunFolder


@contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """Hold the folder of an answer, so that no other finder looks into it or takes it away; an empty one goes again.

    Raises:
        RunFolderBusy: another one is at it.
        StorageError: the file system refused.
    """
    made = [each for each in (folder.parent, folder) if not each.exists()]
    with storage(f"{folder} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    with RunLock(folder) as lock:
        try:
            yield
        finally:  # while it is held: who waits for it looks whether the file is still the one
            lock.path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something
                for each in reversed(made):
                    each.rmdir()


def refuse_taken(folder: Path) -> None:
    """Refuse a folder that holds a run, a sweep or an answer.

    Raises:
        ConfigError: names it.
    """
    held = {"config.yaml": "a run", "sweep.json": "a sweep", FILE: "an answer"}
    for file, what in held.items():
        if (folder / file).exists():
            raise ConfigError("name", folder.name, f"{RunFolder(folder)} already holds {what}", "give another name")


QUESTION = ".find.json"
"""In the folder of runs that a finder makes: what was asked, before there is an answer."""


def refuse_other_answer(asked: Sequence[FindRequest]) -> None:
    """Refuse a folder that holds a run, a sweep, or the runs of another question; those of this one go on.

    Raises:
        ConfigError: names it.
    """
    folder, method = asked[0].folder, asked[0].find.method
    held, asks = _read(folder / FILE), _read(folder / QUESTION)
    if held is not None and held.get("method") != method:
        rule = f"{folder} already holds an answer (find.method={held.get('method', 'unknown')})"
        raise ConfigError("name", folder.name, rule, "give another name")
    if asks is None and (folder / "sweep.json").exists():
        raise ConfigError("name", folder.name, f"{folder} already holds a sweep", "give another name")
    wanted = question(asked)
    others = {"schedulers": "other schedules", "config": "another config", "horizons": "other lengths"}
    for key, what in others.items():
        if asks is not None and asks.get(key) != wanted.get(key):
            before = asks.get(key)
            known = f" ({', '.join(map(str, before))})" if isinstance(before, list) else ""
            rule = f"{folder} already holds the runs of {what}{known}"
            raise ConfigError("name", folder.name, rule, "give another name, or the words of that command")


def question(asked: Sequence[FindRequest]) -> dict[str, Any]:
    """What is asked: the same rates, seeds and budget or others, the same runs go on."""
    first = asked[0]
    asking = composed([*first.words, *_NO_QUESTION], first.config_dir, key="--config-dir")
    config = plain(bare(asking, first.objects))
    asks = {
        "method": first.find.method,
        "schedulers": [each.scheduler for each in asked],
        "config": config_sha256(config),
    }
    return {**asks, "horizons": list(first.horizons)} if first.horizons else asks


_NO_QUESTION = ("optimizer.lr=0.1", "seed=0")
"""What two commands may differ in and still ask the same."""


def _read(file: Path) -> dict[str, Any] | None:
    try:
        held = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
