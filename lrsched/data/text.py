"""Read texts of one's own, or any other files, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrsched.data.counts import Counted
from lrsched.data.files import find_files, unreadable
from lrsched.data.source import Source
from lrsched.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lrsched.data.data import Data

VOCABULARY = 256


@dataclass(frozen=True, kw_only=True)
class Text(Source):
    """Windows of ``context`` + 1 bytes: a model is given the first ``context`` of them and predicts each next one.

    Several files are read one after the other, as one text. Window i begins at byte i·stride; a rest at the end that
    fills no window is left out, so n bytes give ⌊(n − context − 1)/stride⌋ + 1 windows. An epoch is one pass over
    the training windows: with ``stride`` = ``context`` every byte is predicted once, with a smaller one
    context/stride times, each time after another beginning.

    The last windows are held out, in order: first the test part, before it the validation part. Windows that would
    hold targets of a held-out one are left out between the parts, ⌈context/stride⌉ − 1 of them.

    Args:
        path: a file, a pattern such as ``books/*.txt`` (in sorted order), or a list of them; relative to the current
            folder.
        context: bytes before the last prediction, at least 1.
        stride: bytes from one window to the next, at least 1; null: as many as ``context``.

    Raises:
        ConfigError: a number below 1.
        DataError: a file is missing or cannot be read, or there are fewer than context + 1 bytes.
    """

    path: str | tuple[str, ...]
    context: int = 128
    stride: int | None = None

    def __post_init__(self) -> None:
        for name in ("context", "stride"):
            value = getattr(self, name)
            if not isinstance(value, int) and not (name == "stride" and value is None):
                raise ConfigError(name, value, "must be a whole number")
            if value is not None and value < 1:
                raise ConfigError(name, value, "must be at least 1")

    def count(self) -> Counted:
        """The windows in files of such lengths."""
        files = find_files("path", self.path)
        windows = self._windows(files, sum(map(_length, files)))
        return Counted(windows, gap=self._gap)

    def load(self) -> Data:
        """Tokens uint8 [N, context + 1] that share the memory of the text."""
        import torch

        from lrsched.data.data import Data

        files = find_files("path", self.path)
        parts = [_bytes(file) for file in files]
        text = torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))
        self._windows(files, len(text))
        stride = self.stride or self.context
        facts = {
            "vocabulary": VOCABULARY,
            "context": self.context,
            "input_shape": (self.context,),
            "features": self.context,
        }
        return Data((text.unfold(0, self.context + 1, stride),), facts=facts, order="last", gap=self._gap)

    @property
    def _gap(self) -> int:
        """Windows that hold targets of the one after them."""
        return -(-self.context // (self.stride or self.context)) - 1

    def _windows(self, files: Sequence[Path], length: int) -> int:
        """How many there are in so many bytes.

        Raises:
            DataError: none.
        """
        if length < self.context + 1:
            where = str(files[0]) if len(files) == 1 else f"{len(files)} files from {files[0]}"
            raise DataError(
                f"{where}: {length} bytes are no window of dataset.context={self.context} and the byte after it; "
                "give a longer text or a smaller context"
            )
        return (length - self.context - 1) // (self.stride or self.context) + 1


def _length(file: Path) -> int:
    try:
        with file.open("rb") as stream:
            return stream.seek(0, 2)
    except OSError as error:
        raise unreadable(file, error) from error


def _bytes(file: Path) -> np.ndarray:
    try:
        return np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise unreadable(file, error) from error
