"""What the numbers of masks stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched.data.folders.coding import classes_found, coding_of
from lrsched.errors import ConfigError, DataError

MASK = Path("masks/1.png")


def coded(values: list[int], labels: Any = None, classes: Any = None, ignore: Any = None) -> list[int]:
    return coding_of(labels, classes, ignore).coded(np.array([values]), MASK)[0].tolist()


@pytest.mark.parametrize(
    ("values", "how", "labels"),
    [
        ([0, 7, 255], {}, [0, 7, 255]),
        ([0, 1, 255], {"classes": 2, "ignore": 255}, [0, 1, 255]),
        ([0, 255], {"labels": {0: "background", 255: "leaf"}}, [0, 1]),
        ([9, 65535, 3], {"labels": {3: "a", 65535: "b", 9: "a"}}, [0, 1, 0]),
        ([0, 255], {"labels": {0: 1, 255: 0}}, [1, 0]),
        ([0, 1, 9], {"labels": {0: "a", 1: "b", 9: None}, "ignore": 255}, [0, 1, 255]),
    ],
)
def test_each_number_has_its_label(values: list[int], how: dict[str, Any], labels: list[int]) -> None:
    assert coded(values, **how) == labels


def test_names_are_numbered_in_their_order() -> None:
    coding = coding_of({5: "sky", 0: "road", 6: "sky"}, None, None)
    assert (coding.names, coding.classes) == (["sky", "road"], 2)


@pytest.mark.parametrize(
    ("values", "how", "said"),
    [
        (
            [0, 1, 2],
            {"classes": 2},
            "masks/1.png: row 0, column 2 (from 0) holds 2; with dataset.classes=2 labels are 0",
        ),
        ([0, 256], {}, "holds 256; labels are 0 to 255; give dataset.labels="),
        ([0, 70000], {}, "holds 70000; labels are 0 to 255"),
        ([3], {"labels": {0: "a", 1: "b"}}, "holds 3; dataset.labels does not say which class that is"),
        ([254], {"classes": 3, "ignore": 255}, "labels are 0 to 2, and 255, which counts nowhere"),
    ],
)
def test_a_number_without_a_label_is_named_with_its_pixel(values: list[int], how: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        coded(values, **how)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"labels": {}}, "labels={}: must say of each number"),
        ({"labels": [0, 1]}, "labels=[0,1]: must say of each number"),
        ({"labels": {0: "a", 1: 1}}, "must say of each number"),
        ({"labels": {0: "a", 1: 0.5}}, "must say of each number"),
        ({"labels": {0: "a", "x": "b"}}, "labels=x: a mask holds whole numbers from 0 to 65535"),
        ({"labels": {0: "a", 65536: "b"}}, "labels=65536: a mask holds whole numbers"),
        ({"labels": {0: "a", 1: "a"}}, "tells 1 class, and 2 to 256 can be"),
        ({"labels": {0: 0, 1: 256}}, "must say of each number"),
        ({"labels": {n: f"c{n}" for n in range(257)}}, "tells 257 classes, and 2 to 256 can be"),
        ({"labels": {0: "a", 1: "b", 2: None}}, "labels.2=null: counts nowhere, and the task knows no such label"),
        ({"labels": {0: "a", 1: "b"}, "ignore": 1}, "makes 1 a class, and task.ignore=1 says that it counts nowhere"),
        ({"labels": {0: "a", 1: "b"}, "classes": 2}, "classes=2: is said by dataset.labels already"),
        ({"classes": 1}, "classes=1: must be a whole number from 2 to 256"),
        ({"classes": True}, "classes=true: must be a whole number from 2 to 256"),
        ({"ignore": "x"}, "ignore=x: must be a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        coding_of(how.get("labels"), how.get("classes"), how.get("ignore"))
    assert said in str(caught.value)


def seen(*labels: int) -> np.ndarray[Any, Any]:
    found = np.zeros(256, dtype=bool)
    found[list(labels)] = True
    return found


def test_classes_are_counted_where_all_of_them_are_there() -> None:
    assert classes_found(seen(0, 1, 2), None, Path("root")) == 3
    assert classes_found(seen(0, 1, 255), 255, Path("root")) == 2
    assert classes_found(seen(0, 1, 2), 0, Path("root")) == 3  # 0 is a class that counts nowhere


@pytest.mark.parametrize(
    ("labels", "ignore", "said"),
    [
        (
            (0, 255),
            None,
            "root: the masks hold the numbers 0, 255, and classes are counted 0, 1, 2, … without a gap; give",
        ),
        ((0, 2), None, "dataset.classes=3 if some are nowhere in these masks"),
        ((1, 2), None, "the masks hold the numbers 1, 2, and classes are counted"),
        ((0,), None, "root: all pixels of all masks are 0; there is nothing to tell apart"),
        ((0, 255), 255, "root: all pixels of all masks are 0"),
        ((255,), 255, "root: every pixel of every mask counts nowhere"),
    ],
)
def test_a_gap_is_no_guess(labels: tuple[int, ...], ignore: int | None, said: str) -> None:
    with pytest.raises(DataError) as caught:
        classes_found(seen(*labels), ignore, Path("root"))
    assert said in str(caught.value)
