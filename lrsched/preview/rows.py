"""A preview as a CSV: one row a step, every float as short as it can be and still read back exactly."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from lrsched.preview.course import Course


def csv_text(courses: Sequence[Course]) -> str:
    """``step,epoch,lr/default`` and a column for each other value that moves.

    Several courses stand one after the other, told apart by a leading column ``scheduler``. A value
    that one of them leaves alone is empty.

    >>> from lrsched.horizon import Horizon
    >>> import numpy as np
    >>> print(csv_text([Course("linear", Horizon(2), 0.1, {"lr/default": np.array([0.1, 0.05])})]), end="")
    step,epoch,lr/default
    0,0.0,0.1
    1,0.5,0.05
    """
    names = list(dict.fromkeys(name for course in courses for name in course.columns))
    several = len(courses) > 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*["scheduler"] * several, "step", "epoch", *names])
    for course in courses:
        writer.writerows([*[course.name] * several, *row] for row in _rows(course, names))
    return text.getvalue()


def _rows(course: Course, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    # .tolist() makes Python floats, which csv writes by repr: the shortest text that reads back exactly.
    columns = [course.columns[name].tolist() if name in course.columns else [math.nan] * course.steps for name in names]
    for step, values in enumerate(zip(*columns, strict=True)):
        yield step, course.epoch_at(step), *("" if math.isnan(value) else value for value in values)
