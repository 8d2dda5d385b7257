"""The folder of an answer: whose runs it holds, and what was asked of them."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lrsched.checkpoint.lock import LOCK, RunLock
from lrsched.compose.nodes import plain
from lrsched.compose.outside import composed
from lrsched.config.digest import config_sha256, is_fixed
from lrsched.config.settings import Settings
from lrsched.errors import ConfigError, storage
from lrsched.finder.answer import FILE
from lrsched.finder.request import FindRequest, bare
from lrsched.records import DATA, RunFolder
from lrsched.report.folders import own_text
from lrsched.sweep.same_data import hash_of, other_data


@contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """Hold the folder of an answer, so that no other finder looks into it or takes it away; an empty one goes again.

    The lock of a run or of a study that is there stays: it is theirs.

    Raises:
        RunFolderBusy: another one is at it.
        StorageError: the file system refused.
    """
    made = [each for each in (folder.parent, folder) if not each.exists()]
    with storage(f"{folder} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    theirs = _holds_anothers(folder) and (folder / LOCK).exists()
    with RunLock(folder) as lock:
        try:
            yield
        finally:  # while it is held: who waits for it looks whether the file is still the one
            if not theirs:
                lock.path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something
                for each in reversed(made):
                    each.rmdir()


def _holds_anothers(folder: Path) -> bool:
    """Whether a folder holds a run, or a sweep that no finder made."""
    of_sweep = (folder / "sweep.json").exists() and not (folder / QUESTION).exists()
    return RunFolder(folder).holds_a_run() or of_sweep


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

    The order of the schedules is no part of it.

    Raises:
        ConfigError: names it.
    """
    folder, method = asked[0].folder, asked[0].find.method
    held, asks = _read(folder / FILE), _read(folder / QUESTION)
    if held is not None and held.get("method") != method:
        rule = f"{folder} already holds an answer (find.method={held.get('method', 'unknown')})"
        raise ConfigError("name", folder.name, rule, "give another name")
    if _holds_anothers(folder):
        what = "a run" if RunFolder(folder).holds_a_run() else "a sweep"
        raise ConfigError("name", folder.name, f"{folder} already holds {what}", "give another name")
    if asks is None:
        return
    others = {"schedulers": "other schedules", "config": "another config", "horizons": "other lengths"}
    alike = [question([each, *(one for one in asked if one is not each)]) for each in asked]
    for key, what in others.items():
        if all(_unordered(asks.get(key)) != _unordered(one.get(key)) for one in alike):
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


def with_data(asks: Mapping[str, Any], folder: Path, run: Settings) -> dict[str, Any]:
    """The question with the hash of the data that it is asked of; a folder that holds one of other data is refused.

    Raises:
        ConfigError: names both hashes.
    """
    now = None if is_fixed({"_target_": run.dataset.target}) else hash_of(run, {})
    made = (_read(folder / QUESTION) or {}).get(DATA)
    if now is not None and isinstance(made, str) and made != now:
        raise other_data(folder, made, now, "the question was asked of")
    return {**asks, **({} if now is None else {DATA: now})}


_NO_QUESTION = ("optimizer.lr=0.1", "seed=0")
"""What two commands may differ in and still ask the same."""


def _unordered(said: Any) -> Any:
    return sorted(map(str, said)) if isinstance(said, list) else said


def _read(file: Path) -> dict[str, Any] | None:
    try:
        held = json.loads(own_text(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
