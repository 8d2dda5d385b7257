"""Read the source of Python's own library as bytes."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch

from lrsched.data.data import Data
from lrsched.data.files import unreadable
from lrsched.data.source import Source
from lrsched.data.text import VOCABULARY
from lrsched.errors import ConfigError, DataError

LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "encodings", "entities.py", "pydoc_data"}
"""Names of tests, of other people's packages, of tables of characters, and of the manual as one long text."""


@dataclass(frozen=True, kw_only=True)
class PythonSource(Source):
    """The bytes of Python's library, about 12 MB of code and prose, in windows: a language model's data, offline.

    A sample is a window of ``context`` + 1 bytes of one file; the next one begins ``stride`` bytes further on, and what
    is left at a file's end, shorter than a window, is passed over. An epoch is each window once, in random order. With
    the default stride every byte is predicted once in an epoch, but for the first of each file.

    Held out are whole modules and packages, never a part of one: its files resemble each other, and windows of one
    file may overlap. So the test part is code that the model has seen nothing of. Which ones, ``split_seed`` says.

    Files come in the order of the SHA-256 of their path in the library, which mixes the packages and stays as it is
    from one version of Python to the next. Their content does not: the hash of the data is in the run, and a run
    is resumed under the version that it was begun with. Tests of Python and installed packages are left out.

    Args:
        context: bytes that the model is given at a time.
        stride: bytes from the start of a window to the start of the next; None: ``context``.
        megabytes: take files until they hold so many million bytes, the file that goes beyond cut off; None: all.

    Raises:
        ConfigError: a value out of its range.
        DataError: this Python comes without its source, or with too little of it.
    """

    context: int = 128
    stride: int | None = None
    megabytes: float | None = 4.0

    def __post_init__(self) -> None:
        for name in ("context", "stride"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigError(name, value, "must be a whole number of at least 1")
        if self.megabytes is not None and not 0 < self.megabytes <= 1e6:
            raise ConfigError("megabytes", self.megabytes, "must be above 0", "null takes all files")

    def load(self) -> Data:
        """Tokens uint8 [N, context + 1]; facts ``vocabulary`` (256) and ``context``."""
        left = None if self.megabytes is None else round(self.megabytes * 1e6)
        windows: list[torch.Tensor] = []
        groups: list[int] = []
        numbers: dict[str, int] = {}
        for path, file in source_files(library()):
            text = _bytes(file)[:left]
            found = self._windows(text)
            windows.append(found)
            groups += [numbers.setdefault(path.parts[0], len(numbers))] * len(found)
            left = None if left is None else left - len(text)
            if left == 0:
                break
        if len(set(groups)) < 3:
            rule = f"gives windows of {len(set(groups))} modules, and each part needs one of its own"
            if self.megabytes is None:
                raise ConfigError("context", self.context, rule, "give a smaller number")
            raise ConfigError("megabytes", self.megabytes, rule, "give a larger number, or a smaller context")
        facts = {
            "vocabulary": VOCABULARY,
            "context": self.context,
            "input_shape": (self.context,),
            "features": self.context,
        }
        return Data((torch.cat(windows),), facts=facts, groups=torch.tensor(groups))

    def _windows(self, text: bytes) -> torch.Tensor:
        if len(text) <= self.context:
            return torch.empty(0, self.context + 1, dtype=torch.uint8)
        values = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        return values.unfold(0, self.context + 1, self.stride or self.context)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error


def library() -> Path:
    """The folder of Python's library."""
    return Path(sysconfig.get_path("stdlib"))


def source_files(folder: Path) -> list[tuple[PurePosixPath, Path]]:
    """The library's source files and their paths in it, in the order of the SHA-256 of these.

    Raises:
        DataError: there are none.
    """
    found: dict[str, Path] = {}
    for top in sorted(sys.stdlib_module_names):
        for file in (folder / f"{top}.py", *(folder / top).rglob("*.py")):
            path = file.relative_to(folder)
            if file.is_file() and not LEFT_OUT & set(path.parts):
                found[path.as_posix()] = file
    if not found:
        raise DataError(f"{folder}: holds no source of Python's library; this Python comes without it")
    order = sorted(found, key=lambda path: hashlib.sha256(path.encode()).digest())
    return [(PurePosixPath(path), found[path]) for path in order]
