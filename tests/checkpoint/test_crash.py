"""Killed before any call to the file system, and in the middle of a write: no acknowledged checkpoint is lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lrsched.checkpoint.store import Store, load
from lrsched.errors import UserError
from tests.helpers.checkpoint_scripts import SCENES, Scene, fresh, goes_on, nothing_is_lost, prepared

CALLS = ("open", "write", "fsync", "replace", "link", "unlink", "mkdir", "rmdir")
KILLED = 137


def die_before_call(number: int, torn: bool) -> None:
    """From now on the process ends before its call of that number, or (``torn``) in the middle of that write."""
    counter = count(1)

    def dying(name: str) -> Any:
        original = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if next(counter) == number:
                if torn:
                    original(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os._exit(KILLED)
            return original(*arguments, **options)

        return call

    for name in ("write",) if torn else CALLS:
        setattr(os, name, dying(name))


class Actor:
    """A forked child that plays a scene when it is told to, and says what it acknowledges."""

    def __init__(self, scene: Scene, store: Store, number: int = 0, torn: bool = False) -> None:
        self.ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                signal.alarm(60)
                theirs.recv(1)
                if number:
                    die_before_call(number, torn)
                scene.act(store, lambda value: theirs.sendall(bytes([value])))
                code = 0
            except UserError as error:
                code = error.exit_code
            finally:
                os._exit(code)
        theirs.close()

    def play(self) -> tuple[int, int | None]:
        """How it ended (negative: the signal), and the last value that it acknowledged."""
        self.ours.send(b".")
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.ours.settimeout(1)
        said = b""
        while more := self.ours.recv(100):
            said += more
        self.ours.close()
        return status, said[-1] if said else None


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 on, of os.fork
@pytest.mark.parametrize("torn", [False, True], ids=["before a call", "in a write"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_killed_at_any_call(scene: Scene, torn: bool, tmp_path: Path) -> None:
    template = prepared(scene, tmp_path / "template")
    for number in count(1):
        store = fresh(template, tmp_path / "run")
        status, acknowledged = Actor(scene, store, number, torn).play()
        assert all(load(checkpoint) for checkpoint in store.committed())  # half-deleted ones do not look whole
        nothing_is_lost(store, scene.before if acknowledged is None else acknowledged)
        if status == 0:
            break
        assert status == KILLED
        goes_on(store)
    assert number > (0 if torn else 5)  # calls were counted


# The real thing: strace stops a real process at its real system calls.

TRACED = (
    "openat",
    "write",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
)


def traced(actor: Actor, log: Path, *options: str) -> tuple[int, int | None]:
    """Let an actor play under strace."""
    calls = ",".join(f"?{name}" for name in TRACED)
    command = ["strace", "-f", "-p", str(actor.pid), "-o", str(log), "-e", f"trace={calls}", *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    attached = tracer.stderr.readline()
    ended = actor.play()
    rest = tracer.communicate()[1]
    if "attached" not in attached:
        pytest.skip(f"strace cannot trace here: {attached}{rest}")
    return ended


def calls_of(scene: Scene, template: Path, folder: Path) -> Counter[str]:
    """How often a scene that nobody disturbs makes each system call."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    scene.act(fresh(template, folder / "run"), lambda value: None)  # what is imported late is imported
    log = folder / "log"
    assert traced(Actor(scene, fresh(template, folder / "run")), log)[0] == 0
    lines = [line.split(maxsplit=1)[1] for line in log.read_text("utf-8").splitlines()]
    found = Counter(line.split("(")[0] for line in lines if "(" in line)
    return Counter({name: number for name, number in found.items() if name in TRACED})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("what", ["signal=SIGKILL", "error=EIO", "error=ENOSPC"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_every_system_call(scene: Scene, what: str, tmp_path: Path) -> None:
    template = prepared(scene, tmp_path / "template")
    calls = calls_of(scene, template, tmp_path)
    assert calls.total() > 8
    ends: Counter[int] = Counter()
    for name, times in calls.items():
        for number in range(1, times + 1):
            store = fresh(template, tmp_path / "run")
            inject = f"inject={name}:{what}:when={number}"
            status, acknowledged = traced(Actor(scene, store), tmp_path / "log", "-e", inject)
            nothing_is_lost(store, scene.before if acknowledged is None else acknowledged)
            goes_on(store)
            ends[status] += 1
    print(f"{what}: {calls.total()} calls, ends {dict(ends)}")
    # 0: only the pruning failed, which is warned of; 4: the only checkpoint could not be read at that moment
    assert set(ends) <= ({-signal.SIGKILL} if "KILL" in what else {0, 4, 6})
