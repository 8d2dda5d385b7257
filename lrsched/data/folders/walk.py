"""Walk through folders of files, always in one order, and refuse what cannot be meant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lrsched.data.files import unreadable
from lrsched.errors import DataError

PICTURES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".dib", ".tif", ".tiff"}
    | {".webp", ".gif", ".jp2", ".avif", ".tga", ".ico"}
)
"""How the names of pictures end."""

BESIDE = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".html", ".htm"}
    | {".ini", ".cfg", ".log", ".pdf", ".py"}
)
"""How the names of files end that lie beside pictures and are passed over: texts."""

SYSTEMS = ("thumbs.db", "desktop.ini", "license", "licence", "readme", "__macosx", "__pycache__")
"""Names that systems and people leave in any folder; so is each that begins with a dot."""


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What a folder holds, in the order of the names, without what systems leave there.

    Raises:
        DataError: it cannot be read, or a name in it is no text.
    """
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(Path(folder), error) from error
    for entry in listed:
        try:
            entry.name.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{folder}: holds the name {os.fsencode(entry.name)!r}, which is not UTF-8; rename it"
            ) from error
    return [entry for entry in listed if not entry.name.startswith(".") and entry.name.lower() not in SYSTEMS]


def folders(folder: Path) -> list[Path]:
    """The folders in a folder."""
    return [Path(entry.path) for entry in entries(folder) if entry.is_dir()]


def pictures(folder: Path) -> list[str]:
    """The pictures in a folder and in those in it, in the order of torchvision's ImageFolder: by folder, then by name.

    Raises:
        DataError: a file that is neither a picture by its name nor a text, a link that leads nowhere or back.
    """
    held = sorted(_walk(str(folder), ()))
    return [file for _, files in held for file in files]


def own_picture(folder: Path) -> str | None:
    """The first picture that lies in a folder itself."""
    return next(
        (entry.path for entry in entries(folder) if suffix_of(entry.name) in PICTURES and entry.is_file()), None
    )


def suffix_of(name: str) -> str:
    """The end of a file's name, in small letters.

    >>> suffix_of("photos/a.b.JPG")
    '.jpg'
    """
    return os.path.splitext(name)[1].lower()


def _walk(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, list[str]]]:
    """Each folder and its own pictures; ``above`` are the folders that it lies in, by device and inode."""
    try:
        told = os.stat(folder)
    except OSError as error:
        raise unreadable(Path(folder), error) from error
    place = told.st_dev, told.st_ino
    if place in above:
        raise DataError(f"{folder}: is a link to a folder that it lies in, and has no end; take it away")
    held = entries(folder)
    yield folder, [entry.path for entry in held if not entry.is_dir() and _is_picture(entry)]
    for entry in held:
        if entry.is_dir():
            yield from _walk(entry.path, (*above, place))


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """Whether a file is a picture by its name; a text is none, and passed over.

    Raises:
        DataError: it is neither, or leads nowhere.
    """
    suffix = suffix_of(entry.name)
    if suffix in BESIDE:
        return False
    if suffix in PICTURES and entry.is_file():
        return True
    if entry.is_symlink() and not os.path.exists(entry.path):
        raise DataError(f"{entry.path}: is a link that leads nowhere; mend it, or take it away")
    known = "its name ends as no picture's (.jpg, .png, .webp, …)" if suffix not in PICTURES else "it is no plain file"
    raise DataError(f"{entry.path}: lies among pictures, and {known}; rename it, convert it, or take it away")
