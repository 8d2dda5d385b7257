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


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, in the order of the names, without what systems leave there.

    Raises:
        DataError: it cannot be read, or a name in it is no text.
    """
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from error
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


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and in those in it, in the order of torchvision's ImageFolder: by folder, then by name.

    Raises:
        DataError: a file that is neither a picture by its name nor a text, a link that leads nowhere or back.
    """
    held = sorted(_walk(folder, ()), key=lambda each: str(each[0]))
    return [file for _, files in held for file in files]


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder and its own pictures; ``above`` are the folders that it lies in, by device and inode."""
    try:
        told = folder.stat()
    except OSError as error:
        raise unreadable(folder, error) from error
    place = told.st_dev, told.st_ino
    if place in above:
        raise DataError(f"{folder}: is a link to a folder that it lies in, and has no end; take it away")
    held = entries(folder)
    yield folder, [Path(entry.path) for entry in held if not entry.is_dir() and is_picture(Path(entry.path))]
    for entry in held:
        if entry.is_dir():
            yield from _walk(Path(entry.path), (*above, place))


def is_picture(file: Path) -> bool:
    """Whether a file is a picture by its name; a text is none, and passed over.

    Raises:
        DataError: it is neither, or leads nowhere.
    """
    suffix = file.suffix.lower()
    if suffix in BESIDE:
        return False
    if file.is_symlink() and not file.exists():
        raise DataError(f"{file}: is a link that leads nowhere; mend it, or take it away")
    if suffix in PICTURES and file.is_file():
        return True
    known = "its name ends as no picture's (.jpg, .png, .webp, …)" if suffix not in PICTURES else "it is no plain file"
    raise DataError(f"{file}: lies among pictures, and {known}; rename it, convert it, or take it away")
