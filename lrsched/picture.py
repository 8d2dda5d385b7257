"""A figure of matplotlib as a PNG file: equal figures give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from lrsched.errors import ConfigError


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
