"""A preview as a picture, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from lrsched.picture import as_png, panels
from lrsched.preview.course import RATE, Course


def png(courses: Sequence[Course], file: str) -> bytes:
    """The learning rates over each other, and below them a panel for each other value that moves.

    Args:
        courses: of one or several schedules.
        file: what the picture was asked for as, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(name for course in courses for name in course.columns))
    figure, drawn = panels(file, 8, [3.0 if name == RATE else 1.6 for name in names], margin=1.0)
    for name, panel in zip(names, drawn, strict=True):
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
        panel.margins(x=0.01)
    drawn[0].set_ylim(bottom=0)
    drawn[0].legend(frameon=False)
    drawn[-1].set_xlabel("step")
    return as_png(figure)
