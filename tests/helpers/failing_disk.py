"""Simulate a process that dies in a system call, and a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = ("open", "write", "fsync", "replace", "link", "rename", "mkdir", "unlink", "remove", "rmdir")


class Killed(BaseException):
    """The process is dead: no handler of ours may do anything."""


@contextmanager
def dying(at: int) -> Iterator[None]:
    """Die before the ``at``-th system call that changes the disk, and at each later one."""
    count = 0

    def deadly(call: Any) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count >= at:
                raise Killed
            return call(*arguments, **named)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, deadly(getattr(os, name)))
        yield


@contextmanager
def full(at: int) -> Iterator[None]:
    """Fill the disk in the middle of the ``at``-th write."""
    write, count = os.write, 0

    def called(descriptor: int, content: Any) -> int:
        nonlocal count
        count += 1
        if count == at and len(content) > 1:
            return write(descriptor, bytes(content)[: len(content) // 2])
        if count >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", called)
        yield
