"""A disk that may lose power: what was not synced may be lost, in part and out of order.

As in ALICE (Pillai et al., OSDI 2014): the calls of a program are recorded; after each of them, the disk may hold what
was synced and any choice of what was not. Content is synced by an fsync of the file, a name by an fsync of its folder.
Only changes of one and the same name stay in order: no file system has two things under one name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

Tree = dict[str, bytes | None]
"""A folder on disk: content by relative path, None for a folder."""


@dataclass(frozen=True)
class Change:
    """One change of the disk.

    Args:
        home: the file or folder that it changes, whose fsync makes it durable.
        names: in a folder: what each name stands for from now on (None: nothing), in ``home`` or another folder.
        data: in a file: what is appended.
    """

    home: int
    names: tuple[tuple[int, str, int | None], ...] = ()
    data: bytes = b""


@dataclass
class Disk:
    """What a program did to a folder, recorded call by call.

    Args:
        root: the folder; everything in it is taken as durable.
    """

    root: Path
    changes: list[Change | int | str] = field(default_factory=list)
    """In order: changes; numbers, of a file or folder that was synced; and what was acknowledged, as text."""

    def __post_init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._made = 0
        self._folders: set[int] = set()
        self.start: dict[int, dict[str, int] | bytes] = {}
        self._take(self.root)

    def _take(self, path: Path) -> int:
        number = self._new(os.lstat(path).st_ino)
        self.start[number] = (
            {child.name: self._take(child) for child in path.iterdir()} if path.is_dir() else path.read_bytes()
        )
        return number

    def _new(self, inode: int) -> int:
        self._made += 1
        self._numbers[inode] = self._made
        return self._made

    def _folder(self, path: Any, folder: int | None) -> tuple[int, str]:
        """Number of the folder that a path lies in, and its name there."""
        parent, name = os.path.split(os.fspath(path))
        about = os.fstat(folder) if folder is not None else os.stat(parent or ".")
        return self._numbers[about.st_ino], name

    def record(self, patch: Any) -> None:
        """Listen to every call that changes the disk, until the patch is undone."""
        real = {
            name: getattr(os, name)
            for name in ("open", "write", "fsync", "replace", "link", "unlink", "mkdir", "rmdir")
        }

        def made(path: Any, folder: int | None) -> int:
            number = self._new(os.stat(path, dir_fd=folder).st_ino)
            home, name = self._folder(path, folder)
            self.changes.append(Change(home, ((home, name, number),)))
            return number

        def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
            descriptor = real["open"](path, flags, mode, dir_fd=dir_fd)
            if new:
                made(path, dir_fd)
            return descriptor

        def write(descriptor: int, data: Any) -> int:
            written = real["write"](descriptor, data)
            self.changes.append(Change(self._numbers[os.fstat(descriptor).st_ino], data=bytes(data[:written])))
            return written

        def fsync(descriptor: int) -> None:
            real["fsync"](descriptor)
            self.changes.append(self._numbers[os.fstat(descriptor).st_ino])

        def replace(source: Any, target: Any) -> None:
            (old, old_name), (new, new_name) = self._folder(source, None), self._folder(target, None)
            number = self._numbers[os.lstat(source).st_ino]
            real["replace"](source, target)
            self.changes.append(Change(new, ((old, old_name, None), (new, new_name, number))))

        def link(source: Any, target: Any, *, follow_symlinks: bool = True) -> None:
            real["link"](source, target, follow_symlinks=follow_symlinks)
            home, name = self._folder(target, None)
            self.changes.append(Change(home, ((home, name, self._numbers[os.stat(target).st_ino]),)))

        def mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            real["mkdir"](path, mode, dir_fd=dir_fd)
            self._folders.add(made(path, dir_fd))

        def removing(name: str) -> Any:
            def remove(path: Any, *, dir_fd: int | None = None) -> None:
                home, there = self._folder(path, dir_fd)
                real[name](path, dir_fd=dir_fd)
                self.changes.append(Change(home, ((home, there, None),)))

            return remove

        shims = {"open": open_, "write": write, "fsync": fsync, "replace": replace, "link": link, "mkdir": mkdir}
        for name, shim in {**shims, "unlink": removing("unlink"), "rmdir": removing("rmdir")}.items():
            patch.setattr(os, name, shim)

    def after_a_power_cut(self, most: int) -> Iterator[tuple[list[str], Tree]]:
        """Every state that the disk may be in: what was acknowledged until then, and what is there.

        Args:
            most: of the changes that were not synced, all but up to this many are lost, or up to this many are.
        """
        for end in range(len(self.changes) + 1):
            past = self.changes[:end]
            said = [entry for entry in past if isinstance(entry, str)]
            synced = {i for i, entry in enumerate(past) if isinstance(entry, Change) and entry.home in past[i + 1 :]}
            pending = [i for i, entry in enumerate(past) if isinstance(entry, Change) and i not in synced]
            chosen = {frozenset(some) for size in range(most + 1) for some in combinations(pending, size)}
            chosen |= {frozenset(pending) - some for some in chosen}
            for some in chosen:
                for zeros in (False, True):
                    yield said, self._tree(past, synced | some, zeros)

    def _tree(self, past: list[Change | int | str], kept: set[int], zeros: bool) -> Tree:
        """What is there when only the changes in ``kept`` reached the disk.

        Args:
            zeros: whether content that was lost has left its length, or nothing.
        """
        things = {number: dict(thing) if isinstance(thing, dict) else thing for number, thing in self.start.items()}
        lost: set[tuple[int, str]] = set()
        for i, change in enumerate(past):
            if not isinstance(change, Change):
                continue
            if not change.names:
                before = things.get(change.home, b"")
                assert isinstance(before, bytes)
                things[change.home] = before + (change.data if i in kept else bytes(len(change.data) * zeros))
            elif i not in kept or any(name[:2] in lost for name in change.names):
                lost |= {name[:2] for name in change.names}
            else:
                for folder, name, number in change.names:
                    entries = things.setdefault(folder, {})
                    assert isinstance(entries, dict)
                    entries.pop(name, None)
                    if number is not None:
                        entries[name] = number
        return dict(_listed(things, self._folders, 1, ""))


def _listed(things: dict[int, Any], folders: set[int], number: int, path: str) -> Iterator[tuple[str, bytes | None]]:
    thing = things.get(number, {} if number in folders else b"")
    if isinstance(thing, bytes):
        yield path, thing
        return
    yield path, None
    for name, child in thing.items():
        yield from _listed(things, folders, child, f"{path}/{name}" if path else name)


def lay_out(tree: Tree, folder: Path) -> None:
    """Put a tree into a folder that is not there yet."""
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
