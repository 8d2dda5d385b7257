"""PNG files: of pixels, and of a figure of matplotlib. Equal pictures give equal bytes."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrsched.errors import ConfigError


def png(pixels: bytes, width: int, height: int) -> bytes:
    """Pixels as a file.

    Args:
        pixels: red, green and blue of each, a byte each, row by row.
        width, height: in pixels.

    References:
        Portable Network Graphics, https://www.w3.org/TR/png-3/
    """

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a colour, three colours
    rows = b"".join(b"\0" + pixels[start : start + 3 * width] for start in range(0, len(pixels), 3 * width))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def size(file: bytes) -> tuple[int, int]:
    """Width and height of a PNG file.

    >>> size(png(bytes(18), 3, 2))
    (3, 2)
    """
    width, height = struct.unpack(">II", file[16:24])
    return width, height


def refuse_undrawable(file: Path, made: Path | None = None) -> None:
    """Refuse a picture that could not be drawn or written, before the work that it would show.

    Args:
        file: the value of ``--png``.
        made: a folder that will be made until then.

    Raises:
        ConfigError: another ending, no such folder, or matplotlib is not installed.
    """
    if file.suffix.lower() != ".png":
        raise ConfigError(
            "--png", str(file), "is a file of pixels, and must end in .png", f"give {file.name or 'F'}.png"
        )
    if file.is_dir():
        raise ConfigError("--png", str(file), "is a folder", "give a file, as in --png find.png")
    if file.parent != made and not file.parent.is_dir():
        raise ConfigError("--png", str(file), f"lies in {file.parent}, which is no folder", "make it, or give another")
    if file.parent.is_dir() and not os.access(file.parent, os.W_OK):
        raise ConfigError("--png", str(file), f"{file.parent} cannot be written to", "give another folder")
    panels(str(file), 1, [1.0])


def panels(asked: str, width: float, heights: Sequence[float], margin: float = 0.0) -> tuple[Any, list[Any]]:
    """A figure with panels below each other, over one axis of steps.

    Args:
        asked: the value of ``--png``, for the message.
        width, heights, margin: in inches; the margin is for what stands below and above.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "--png", asked, "a picture needs matplotlib, which is not installed", "pip install 'hydra-lrsched[plot]'"
        ) from error
    figure = Figure(figsize=(width, margin + sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    drawn = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel in drawn:
        panel.grid(alpha=0.3)
    return figure, list(drawn)


def as_png(figure: Any) -> bytes:
    """The figure as a file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    return content.getvalue()
