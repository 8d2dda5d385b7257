"""Find the files that a data set is read from."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Any

from lrsched.errors import ConfigError, DataError, suggestion

SHOWN = 8
"""The most names of a folder in a message."""


def find_file(key: str, path: Any) -> Path:
    """The file that a path names: relative to the current folder, ``~`` is the home folder.

    Raises:
        ConfigError: it is no text.
        DataError: there is no such file; says what lies there.
    """
    if not isinstance(path, str) or not path.strip():
        raise ConfigError(key, path, "must be the path of a file", f"give dataset.{key}=FILE")
    file = Path(path).expanduser()
    if file.is_dir():
        raise DataError(f"dataset.{key}={path}: is a folder; {lying_in(file)}")
    if not file.exists():
        raise DataError(f"dataset.{key}={path}: there is no file {file.absolute()}; {near(file)}")
    return file


def find_files(key: str, path: Any) -> list[Path]:
    """The files that a path, a pattern such as ``books/*.txt``, or a list of them names: the list's order, then sorted.

    Raises:
        ConfigError, DataError: as for :func:`find_file`.
    """
    if not isinstance(path, str):
        try:
            return [file for each in path for file in find_files(key, each)] or [find_file(key, "")]
        except TypeError:
            return [find_file(key, path)]
    file = Path(path).expanduser()
    if file.exists() or not any(sign in path for sign in "*?["):
        return [find_file(key, path)]
    found = sorted(Path(name) for name in glob(str(file), recursive=True) if not Path(name).is_dir())
    if not found:
        raise DataError(f"dataset.{key}={path}: no file has such a name in {Path().absolute()}")
    return found


def unreadable(file: Path, error: OSError) -> DataError:
    """What the system says of a file that it does not let us read."""
    return DataError(f"{file}: cannot be read ({error.strerror or error})")


def near(file: Path) -> str:
    """What lies in the nearest folder above that is there."""
    folder = file.parent
    while not folder.is_dir():
        folder = folder.parent
    return lying_in(folder, file.name if folder == file.parent else "")


def lying_in(folder: Path, wanted: str = "") -> str:
    """What a folder holds, or the name in it nearest to ``wanted``."""
    try:
        names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in folder.iterdir())
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror})"
    close = suggestion(wanted, names) if wanted else ""
    if close or not names:
        return close or f"{folder.absolute()} is empty"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{folder.absolute()} holds {', '.join(names[:SHOWN])}{more}"
