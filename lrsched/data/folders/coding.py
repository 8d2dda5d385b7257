"""What the numbers in the pixels of masks stand for: classes, and what counts nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from lrsched.data.folders.read import Numbers
from lrsched.errors import ConfigError, DataError

HELD = 256
"""Classes that a mask in memory can tell apart: it has 8 bits a pixel."""

IN_A_FILE = 1 << 16
"""Numbers that a pixel of a file can hold."""


@dataclass(frozen=True, eq=False)
class Coding:
    """Which class each number of a mask's file is.

    Args:
        table: int64 [65536], the label of each number, −1 where it has none.
        classes: how many there are; None: as many as the masks hold.
        names: of the classes, or None.
        keys: the config's keys that say so, for messages.
    """

    table: Numbers
    classes: int | None
    names: Sequence[str] | None
    keys: str

    def coded(self, mask: Numbers, file: Path) -> Numbers:
        """Labels uint8 [H, W] of the numbers in a file.

        Raises:
            DataError: names the file, and the first pixel whose number has no label.
        """
        known = (mask >= 0) & (mask < IN_A_FILE)
        found = np.where(known, self.table[np.where(known, mask, 0)], -1)
        wrong = np.argwhere(found < 0)
        if len(wrong):
            row, column = wrong[0].tolist()
            raise DataError(f"{file}: row {row}, column {column} (from 0) holds {mask[row, column]}; {self.keys}")
        return found.astype(np.uint8)


def coding_of(labels: Any, classes: Any, ignore: Any) -> Coding:
    """The coding that the config asks for.

    Args:
        labels: numbers in files, each with the name or the number of its class, or null where it counts nowhere;
            None: a number is its class.
        classes: how many there are, or None.
        ignore: the label that counts nowhere, or None.

    Raises:
        ConfigError: names the key.
    """
    if ignore is not None and (type(ignore) is not int or not -(2**31) <= ignore < 2**31):
        raise ConfigError("ignore", ignore, "must be a whole number: a label that counts nowhere")
    if classes is not None and (type(classes) is not int or not 2 <= classes <= HELD):
        raise ConfigError("classes", classes, f"must be a whole number from 2 to {HELD}")
    ignored = ignore if ignore is not None and 0 <= ignore < HELD else None
    if labels is not None:
        if classes is not None:
            raise ConfigError("classes", classes, "is said by dataset.labels already", "give one of the two")
        return _told(labels, ignored)
    table = np.full(IN_A_FILE, -1, dtype=np.int64)
    table[: classes or HELD] = np.arange(classes or HELD)
    if ignored is not None:
        table[ignored] = ignored
    if classes is None:
        rule = f"labels are 0 to {HELD - 1}; give dataset.labels={{NUMBER: CLASS, …}} for larger numbers"
        return Coding(table, None, None, rule)
    counts = "" if ignored is None else f", and {ignored}, which counts nowhere"
    rule = f"with dataset.classes={classes} labels are 0 to {classes - 1}{counts}; mend the mask, or give task.ignore"
    return Coding(table, classes, None, rule)


def _told(labels: Any, ignored: int | None) -> Coding:
    """The coding of ``labels``."""
    rule = "must say of each number in the masks which class it is: a name, a number, or null where it counts nowhere"
    remedy = "as in {0: background, 1: leaf, 255: null}"
    if not isinstance(labels, Mapping) or not labels:
        raise ConfigError("labels", labels, rule, remedy)
    said = dict(cast("Mapping[Any, Any]", labels))
    for number, told in said.items():
        if type(number) is not int or not 0 <= number < IN_A_FILE:
            raise ConfigError("labels", number, f"a mask holds whole numbers from 0 to {IN_A_FILE - 1}", remedy)
        if told is None and ignored is None:
            raise ConfigError(
                f"labels.{number}", None, "counts nowhere, and the task knows no such label", "give task.ignore=255"
            )
    named = [told for told in said.values() if told is not None]
    names: list[str] | None = None
    if all(type(told) is int and 0 <= told < HELD for told in named):
        label_of = {told: told for told in named}
        count = max(label_of, default=0) + 1
    elif all(isinstance(told, str) and told for told in named):
        names = list(dict.fromkeys(named))
        label_of = {name: number for number, name in enumerate(names)}
        count = len(names)
    else:
        raise ConfigError("labels", said, rule, remedy)
    if not 2 <= count <= HELD:
        raise ConfigError("labels", said, f"tells {count} class{'es' * (count != 1)}, and 2 to {HELD} can be", remedy)
    if ignored is not None and ignored < count:
        raise ConfigError(
            "labels", said, f"makes {ignored} a class, and task.ignore={ignored} says that it counts nowhere"
        )
    table = np.full(IN_A_FILE, -1, dtype=np.int64)
    for number, told in said.items():
        label: Any = ignored if told is None else label_of[told]
        table[number] = label
    return Coding(table, count, names, "dataset.labels does not say which class that is; add it, or mend the mask")


def classes_found(seen: Numbers, ignore: Any, root: Path) -> int:
    """The number of classes, where masks hold them all.

    Args:
        seen: bool [256], which labels are there.
        ignore: the label that counts nowhere, or None.
        root: of the data set, for messages.

    Raises:
        DataError: one alone, or a gap in the numbers.
    """
    there = [number for number in np.flatnonzero(seen).tolist() if number != ignore]
    most = max(there, default=-1)
    missing = [number for number in range(most) if number not in there and number != ignore]
    if missing:
        said, more = ", ".join(map(str, there[:8])), ", …" * (len(there) > 8)
        labels = ", ".join(f"{number}: NAME" for number in there[:8]) + more
        raise DataError(
            f"{root}: the masks hold the numbers {said}{more}, and classes are counted 0, 1, 2, … without a gap; give "
            f"dataset.labels='{{{labels}}}', dataset.classes={most + 1} if some are nowhere in these masks, or "
            f"task.ignore={most} if it counts nowhere"
        )
    if len(there) < 2:
        said = f"all pixels of all masks are {there[0]}" if there else "every pixel of every mask counts nowhere"
        raise DataError(f"{root}: {said}; there is nothing to tell apart")
    return most + 1
