"""A preview as a picture, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence

from lrsched.errors import ConfigError
from lrsched.preview.course import RATE, Course


def png(courses: Sequence[Course], file: str) -> bytes:
    """The learning rates over each other, and below them a panel for each other value that moves.

    Args:
        courses: of one or several schedules.
        file: what the picture was asked for as, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "--png", file, "a picture needs matplotlib, which is not installed", "pip install 'hydra-lrsched[plot]'"
        ) from error
    names = list(dict.fromkeys(name for course in courses for name in course.columns))
    heights = [3.0 if name == RATE else 1.6 for name in names]
    figure = Figure(figsize=(8, 1.0 + sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for name, panel in zip(names, panels, strict=True):
        for number, course in enumerate(courses):
            if name in course.columns:
                # A value is in force for a whole step: a staircase, not a line through points.
                panel.step(
                    range(course.horizon.steps),
                    course.columns[name],
                    where="post",
                    label=course.name,
                    color=f"C{number % 10}",
                )
        panel.set_ylabel(name)
        panel.grid(alpha=0.3)
        panel.margins(x=0.01)
    panels[0].set_ylim(bottom=0)
    panels[0].legend(frameon=False)
    panels[-1].set_xlabel("step")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    return content.getvalue()
