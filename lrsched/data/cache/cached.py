"""Open a cache, or decode a data set into one."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from lrsched.checkpoint.lock import RunLock
from lrsched.console import is_interactive, say
from lrsched.data.cache.cache import MANIFEST, Cache, Damaged, manifest
from lrsched.data.cache.decode import Chunk, Decode, Written, chunks, first_form
from lrsched.data.cache.form import Form
from lrsched.data.stream.fetch import Part
from lrsched.data.stream.labels import Labels
from lrsched.data.stream.workers import Workers
from lrsched.errors import RunFolderBusy, StorageError
from lrsched.records import make_folder, sync_folder

DECODED = "decoded"
"""The folder of whole files, within that of the cache."""

MAKING = "making"
"""The folder of files that are not whole yet. Nobody opens it; who begins anew deletes it."""

OURS = re.compile(r"[a-z]+-[0-9a-f]{32}")
"""The names of the folders of caches: whatever else lies beside them is somebody else's."""

ELSEWHERE = "give another folder by dataset.cache_root, or dataset.cache=false"


def place_of(root: str | None) -> Path:
    """The folder of caches: as given, or ``$LRSCHED_CACHE``, ``$XDG_CACHE_HOME/lrsched``, ``~/.cache/lrsched``."""
    if root:
        return Path(root).expanduser()
    own, shared = os.environ.get("LRSCHED_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own).expanduser()
    return Path(shared if shared and os.path.isabs(shared) else "~/.cache").expanduser() / "lrsched"


def cached(
    items: Any,
    *,
    what: str,
    known: str,
    root: Path,
    collate: Any = None,
    workers: int = 0,
    labels: Labels | None = None,
    quiet: bool = False,
    remedy: str = ELSEWHERE,
) -> Cache:
    """The decoded samples of a data set: opened, or made once, however many processes ask at once.

    Item n is drawn by its key (seed 0, no epoch): what is random in it is drawn once, and the same for all runs.

    Args:
        items: map-style.
        what: train, validation or test, as the data set's node is called.
        known: a hash of all that the samples are made from, as :func:`lrsched.data.cache.known.known_by`.
        root: folder of all caches.
        collate: makes a batch of samples that differ in shape; None: they must not.
        workers: processes that decode; 0: this one.
        labels: what targets may be, or None: not known.
        quiet: show no progress.
        remedy: where there is no room for the files.

    Raises:
        DataError: a sample cannot be made or kept; names it. Nothing is left behind.
        StorageError: the file system refused. Nothing is left behind.
    """
    folder = root.absolute() / f"{what}-{known[:32]}"
    part = Part(what, items)
    found = _opened(folder, len(part))
    if found is not None:
        return found
    try:
        with _alone(folder, what, remedy):
            found = _opened(folder, len(part))
            if found is not None:  # made by the one that this one waited for
                return found
            _sweep(root.absolute(), folder)
            try:
                _decode(part, folder, collate is None, workers, labels, quiet, remedy)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        found = Cache(folder / DECODED)
    except OSError as error:
        _leave(root)
        where = error.filename or folder
        raise StorageError(
            f"dataset.{what}: its decoded samples cannot be kept: {error.strerror or error} ({where}); {remedy}"
        ) from error
    except BaseException:
        _leave(root)
        raise
    return found


def _leave(root: Path) -> None:
    """Delete the folder of all caches, if there is none."""
    with suppress(OSError):
        root.rmdir()


def _opened(folder: Path, samples: int) -> Cache | None:
    """The cache in a folder, if a whole one is there; a damaged one is told of, and made anew."""
    if not (folder / DECODED).is_dir():
        return None
    try:
        found = Cache(folder / DECODED)
        if len(found) == samples:
            return found
        reason = f"it has {len(found)} samples instead of {samples}"
    except (Damaged, OSError) as error:
        reason = str(error)
    say(f"the decoded samples in {folder / DECODED} are damaged: {reason}; they are decoded anew")
    return None


@contextmanager
def _alone(folder: Path, what: str, remedy: str) -> Generator[None]:
    """Within it, no other process makes this cache: it waits for one that does.

    Raises:
        StorageError: the folder cannot be made or locked.
    """
    told = False
    while True:
        make_folder(folder)
        lock = RunLock(folder, patience=0.1)
        try:
            lock.acquire()
        except RunFolderBusy as busy:
            if not told:
                say(f"dataset.{what}: waits for another process to decode it: {busy}")
            told = True
            time.sleep(0.1)
            continue
        except StorageError as error:
            if folder.is_dir():
                raise StorageError(f"dataset.{what}: its decoded samples cannot be kept: {error}; {remedy}") from error
            continue  # the other process could not make it, and left nothing behind
        try:
            yield
        finally:
            lock.release()
        return


def _sweep(root: Path, folder: Path) -> None:
    """Delete what builds that were killed left behind, of this cache and of others."""
    for other in root.iterdir():
        ours = OURS.fullmatch(other.name) and not other.is_symlink()
        if other == folder or not ours or not (other / MAKING).is_dir():
            continue
        lock = RunLock(other, patience=0)
        with suppress(RunFolderBusy, StorageError):
            lock.acquire()
            shutil.rmtree(other / MAKING if (other / DECODED).is_dir() else other, ignore_errors=True)
            lock.release()


def _decode(
    part: Part, folder: Path, even: bool, workers: int, labels: Labels | None, quiet: bool, remedy: str
) -> None:
    """Make the samples, write them, and put them into their place as a whole."""
    making, decoded = folder / MAKING, folder / DECODED
    for old in (making, decoded):
        if old.exists():
            shutil.rmtree(old)
    form = first_form(part)
    _check_space(part, form, folder, even, remedy)
    making.mkdir()
    written = Written(making, form)
    try:
        with _progress(part, folder, quiet) as show:
            for chunk, samples in _chunks(Decode(part, form, labels, even=even), form, workers):
                written.add(chunk, samples)
                show(written.samples)
    finally:
        written.close()
    written.end()
    told = manifest(form, len(part), written.uneven, written.labels if written.listed else None)
    (making / MANIFEST).write_text(json.dumps(told), "utf-8")
    for file in making.iterdir():
        with open(file, "rb") as whole:
            os.fsync(whole.fileno())
    sync_folder(making)
    making.rename(decoded)
    sync_folder(folder)


def _check_space(part: Part, form: Form, folder: Path, even: bool, remedy: str) -> None:
    """Refuse what will not fit, before hours of work."""
    sizes = (np.dtype(column.dtype).itemsize * int(np.prod(column.shape)) for column in form.columns)
    needed, free = len(part) * sum(sizes), shutil.disk_usage(folder).free
    if even and needed > free:
        takes = f"dataset.{part.name}: {len(part):,} decoded samples take {needed / 2**30:.3g} GiB"
        raise StorageError(f"{takes}, and {folder.parent} has {free / 2**30:.3g} GiB free; {remedy}")


@contextmanager
def _progress(part: Part, folder: Path, quiet: bool) -> Generator[Callable[[int], None]]:
    """Show how many samples there are, on a terminal alone."""
    if not quiet:
        say(f"dataset.{part.name}: decodes {len(part):,} samples once, into {folder}")
    if quiet or not is_interactive(sys.stderr):
        yield lambda samples: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(file=sys.stderr, force_terminal=True)
    with Progress(*columns, console=console, redirect_stdout=False, transient=True) as bar:
        task = bar.add_task("", total=len(part))
        yield lambda samples: bar.update(task, completed=samples)


def _chunks(decode: Decode, form: Form, workers: int) -> Generator[tuple[Chunk, int]]:
    wanted = list(chunks(len(decode.part), form))
    if not workers or len(wanted) < 2:
        for some in wanted:
            made_here: Any = decode.here(some)
            yield made_here, len(some.numbers)
        return
    ahead = Workers(decode, wanted, count=min(workers, len(wanted)), prefetch=2, pin=False)
    try:
        for some in wanted:
            chunk: Any = next(ahead)
            yield chunk, len(some.numbers)
    finally:
        ahead.close()
