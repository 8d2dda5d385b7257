"""A preview as a picture, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from lrsched.picture import as_png, panels
from lrsched.preview.course import Course


def png(courses: Sequence[Course], file: str) -> bytes:
    """The learning rates of all groups over each other, and below them a panel for each other value that moves.

    Args:
        courses: of one or several schedules.
        file: what the picture was asked for as, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    values = list(dict.fromkeys(name.partition("/")[0] for course in courses for name in course.columns))
    figure, drawn = panels(file, 8, [3.0 if value == "lr" else 1.6 for value in values], margin=1.0)
    for value, panel in zip(values, drawn, strict=True):
        curves = [(course, name) for course in courses for name in course.columns if name.startswith(f"{value}/")]
        one_group = {name for _, name in curves} == {f"{value}/default"}
        for number, (course, name) in enumerate(curves):
            # A value is in force for a whole step: a staircase, not a line through points.
            panel.step(
                range(course.steps),
                course.columns[name],
                where="post",
                label=course.name if one_group else f"{course.name} {name.partition('/')[2]}",
                color=f"C{number % 10}",
            )
        panel.set_ylabel(f"{value}/default" if one_group else value)
        panel.margins(x=0.01)
    drawn[0].set_ylim(bottom=0)
    drawn[0].legend(frameon=False)
    drawn[-1].set_xlabel("step")
    return as_png(figure)
