"""One writer per run folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lrsched.errors import RunFolderBusy, StorageError

LOCK = ".lock"

_PAUSE = 0.02  # seconds between two tries
_PATIENCE = 0.1  # seconds; holder() takes the lock for a few microseconds, which refuses nobody


class RunLock:
    """The right to write to a run folder: flock(2) on its file ``.lock``, whose content names the holder.

    The kernel takes the lock back when the process ends, however it ends. The file stays: who deletes it
    lets two processes hold "the" lock, each on a file of its own. Forked children and programs that are
    started do not hold it: they may outlive the run.

    Args:
        folder: of the run; it must exist.
        patience: seconds to wait for a holder to end.
    """

    def __init__(self, folder: Path, patience: float = _PATIENCE) -> None:
        self.folder = folder
        self._patience = patience
        self.path = folder / LOCK
        self._descriptor: int | None = None
        os.register_at_fork(after_in_child=self._close)  # the parent keeps its lock: a child's LOCK_UN would end it

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RunFolderBusy: another process, or another lock of this one, holds it and did not end in time.
            StorageError: the folder is read-only, or its file system has no flock.
        """
        until = time.monotonic() + self._patience
        while True:
            try:
                descriptor = self._locked()
            except OSError as error:
                raise StorageError(f"{self.path} cannot be locked: {_reason(error)}") from error
            if descriptor is not None:
                self._descriptor = descriptor
                return
            if time.monotonic() > until:
                break
            time.sleep(_PAUSE)
        pid, host = _named(self.path)
        who = f"process {pid} on {host}" if pid else "another process"
        how = f"stop it with: kill {pid}" if pid else "stop it"
        raise RunFolderBusy(f"{self.folder} is in use: {who} writes to it; wait until it ends, or {how}")

    def release(self) -> None:
        """Release the lock, if held."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._close()

    def _locked(self) -> int | None:
        """A descriptor that holds the lock, or None while another process has it.

        Raises:
            OSError: the file system refused.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):  # else it was deleted, and the lock with it
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()} {os.uname().nodename}\n".encode(), 0)
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def alone(file: Path) -> Generator[None]:
    """Let one process at a time read and write a file: flock(2) on ``.NAME.lock`` beside it, which stays.

    Raises:
        OSError: the file system refused.
    """
    lock = file.with_name(f".{file.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str | None:
    """The present writer of a run folder (``process 4711 on host``), or None. Changes nothing on disk."""
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        pid, host = _named(path)
        return f"process {pid} on {host}" if pid else "another process"
    except OSError:  # no locks on this file system, so nobody holds one
        return None
    finally:
        os.close(descriptor)
    return None


def _named(path: Path) -> tuple[str, str]:
    """Process number and host in a lock file, or two empty strings."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            words = file.read(300).split()
    except OSError:
        words = []
    return (words[0], words[1]) if len(words) == 2 and words[0].isdigit() else ("", "")


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
        return f"this file system keeps no locks ({error.strerror}); put the run on one that does, as a local disk"
    if error.errno == errno.ELOOP:
        return "it is a symbolic link; delete it"
    return error.strerror or str(error)
