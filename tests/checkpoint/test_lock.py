"""One writer per run folder: the second is refused at once, and the lock dies with its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lrsched.checkpoint.lock import RunLock, holder
from lrsched.errors import RunFolderBusy, StorageError

# A writer without torch: it says READY, waits for the word, asks for the lock, says what came of it,
# and keeps what it got until its input ends.
WRITER = """
import sys, time
from pathlib import Path
from lrsched.checkpoint.lock import RunLock
from lrsched.errors import RunFolderBusy
lock = RunLock(Path(sys.argv[1]))
print("READY", flush=True)
sys.stdin.readline()
began = time.monotonic()
try:
    lock.acquire()
    print("HELD", flush=True)
    sys.stdin.readline()
except RunFolderBusy as error:
    print("BUSY", time.monotonic() - began, error, flush=True)
    sys.exit(error.exit_code)
"""


class Writer:
    """Another process that writes to the folder."""

    def __init__(self, folder: Path, code: str = WRITER) -> None:
        command = [sys.executable, "-c", code, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.said() == "READY"

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def holding(self) -> Writer:
        self.tell()
        assert self.said() == "HELD"
        return self

    def end(self) -> int:
        self.process.communicate()
        return self.process.returncode


def seconds_until_free(folder: Path) -> float:
    began = time.monotonic()
    while True:
        try:
            with RunLock(folder):
                return time.monotonic() - began
        except RunFolderBusy:
            assert time.monotonic() - began < 10


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first = Writer(tmp_path).holding()
    began = time.monotonic()
    with pytest.raises(RunFolderBusy) as refusal:
        RunLock(tmp_path).acquire()
    assert time.monotonic() - began < 1
    assert refusal.value.exit_code == 5
    pid, host = first.process.pid, os.uname().nodename
    assert str(refusal.value) == (
        f"{tmp_path} is in use: process {pid} on {host} writes to it; wait until it ends, or stop it with: kill {pid}"
    )
    assert holder(tmp_path) == f"process {pid} on {host}"
    assert first.end() == 0
    assert holder(tmp_path) is None
    with RunLock(tmp_path):
        assert holder(tmp_path) == f"process {os.getpid()} on {host}"


def race(folder: Path) -> None:
    """Two writers that start at the same moment: one gets the folder, one is refused in time."""
    writers = [Writer(folder), Writer(folder)]
    for writer in writers:
        writer.tell()
    answers = [writer.said() for writer in writers]
    assert sorted(answer.split()[0] for answer in answers) == ["BUSY", "HELD"]
    held = answers.index("HELD")
    _, seconds, said = answers[1 - held].split(maxsplit=2)
    assert float(seconds) < 1
    assert f"kill {writers[held].process.pid}" in said
    assert [writers[held].end(), writers[1 - held].end()] == [0, 5]


def test_of_two_writers_one_is_refused(tmp_path: Path) -> None:
    for _ in range(10):
        race(tmp_path)


@pytest.mark.slow
def test_of_two_writers_one_is_refused_every_time(tmp_path: Path) -> None:
    for _ in range(50):
        race(tmp_path)


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    writer = Writer(tmp_path).holding()
    writer.process.send_signal(signal.SIGKILL)
    assert seconds_until_free(tmp_path) < 1
    assert writer.end() == -signal.SIGKILL


def test_forked_children_and_started_programs_do_not_keep_it(tmp_path: Path) -> None:
    """As data loader workers and viewers, which may outlive the run."""
    forking = WRITER.replace(
        'print("HELD", flush=True)',
        'import os, subprocess\n    program = subprocess.Popen(["sleep", "60"], close_fds=False)\n'
        '    child = os.fork() or time.sleep(60)\n    print("HELD", child, program.pid, flush=True)',
    )
    writer = Writer(tmp_path, forking)
    writer.tell()
    orphans = [int(pid) for pid in writer.said().split()[1:]]
    assert len(orphans) == 2
    try:
        with pytest.raises(RunFolderBusy):  # the child closed what it inherited, the holder has the lock still
            RunLock(tmp_path).acquire()
        writer.process.kill()
        assert seconds_until_free(tmp_path) < 1
        for orphan in orphans:
            os.kill(orphan, 0)  # is alive
    finally:
        for orphan in orphans:
            os.kill(orphan, signal.SIGKILL)
        writer.process.communicate()


def test_a_child_that_releases_does_not_free_its_parents_lock(tmp_path: Path) -> None:
    forking = WRITER.replace(
        'print("HELD", flush=True)',
        "import os\n    child = os.fork()\n    if not child:\n        lock.release()\n        os._exit(0)\n"
        '    os.waitpid(child, 0)\n    print("HELD", flush=True)',
    )
    writer = Writer(tmp_path, forking).holding()
    with pytest.raises(RunFolderBusy):
        RunLock(tmp_path).acquire()
    assert writer.end() == 0


def test_a_lock_on_a_file_that_was_deleted_meanwhile_is_no_lock(tmp_path: Path, monkeypatch) -> None:
    """Somebody cleans up between the opening and the locking: the lock must be on the file that others will find."""
    real, deleted = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not deleted:
            deleted.append(True)
            (tmp_path / ".lock").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with RunLock(tmp_path):
        assert deleted
        with pytest.raises(RunFolderBusy):
            RunLock(tmp_path).acquire()


def test_who_only_looks_keeps_nobody_out(tmp_path: Path) -> None:
    """`lrsched check` asks for a shared lock for a moment; a run that starts in that moment waits for it."""
    with RunLock(tmp_path):
        pass
    descriptor = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    writer = Writer(tmp_path)
    writer.tell()
    time.sleep(0.03)
    os.close(descriptor)
    assert writer.said() == "HELD"
    assert writer.end() == 0


def test_release_and_again(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    for _ in range(2):
        lock.acquire()
        lock.release()
        lock.release()
    assert (tmp_path / ".lock").exists()  # deleting it would race
    assert holder(tmp_path) is None


def refusing(number: int) -> Callable[..., None]:
    """A stand-in for a file system that cannot be had here."""

    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch, number: int) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(StorageError, match=r"\.lock cannot be locked: this file system keeps no locks") as refusal:
        RunLock(tmp_path).acquire()
    assert os.strerror(number) in str(refusal.value)
    assert holder(tmp_path) is None


def test_a_read_only_file_system_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "open", refusing(errno.EROFS))
    with pytest.raises(StorageError, match=r"\.lock cannot be locked: Read-only file system"):
        RunLock(tmp_path).acquire()


def test_a_lock_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="symbolic link"):
        RunLock(tmp_path).acquire()
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone/\.lock cannot be locked: No such file"):
        RunLock(tmp_path / "gone").acquire()


def test_who_locks_does_not_wait_for_torch() -> None:
    code = "import sys; from lrsched.checkpoint.lock import RunLock; print('torch' in sys.modules, RunLock.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "RunLock"]
