"""A table of one's own: what its columns become, and what is refused, with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrsched.data import Table
from lrsched.data.data import Data
from lrsched.data.split import split
from lrsched.errors import ConfigError, DataError, UserError

HOUSES = "rooms,town,price\n3,Ulm,200\n4,Bonn,310.5\n2,Ulm,150\n5,Kiel,400\n"
Load = Callable[..., Data]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a table of the given text or bytes, with ``price`` for its target, in the current folder."""
    monkeypatch.chdir(tmp_path)

    def loading(content: str | bytes, test: str | None = None, **arguments: Any) -> Data:
        Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        if test is not None:
            Path("test.csv").write_text(test, "utf-8")
            arguments["test_path"] = "test.csv"
        return Table(**{"path": "t.csv", "target": "price", **arguments}).load()

    return loading


def columns(data: Data) -> tuple[list[Any], ...]:
    assert isinstance(data.train, tuple)
    return tuple(column.tolist() for column in data.train)


def test_numbers_and_categories_by_hand(load: Load) -> None:
    data = load(HOUSES, unit="k€")
    x, y = columns(data)
    assert x == [[3, 0, 0, 1], [4, 1, 0, 0], [2, 0, 0, 1], [5, 0, 1, 0]]
    assert y == [200, 310.5, 150, 400]
    assert {column.dtype for column in data.train} == {torch.float32}
    assert dict(data.facts) == {
        "input_shape": (4,),
        "features": 4,
        "targets": 1,
        "feature_names": ("rooms", "town=Bonn", "town=Kiel", "town=Ulm"),
        "unit": "k€",
    }
    assert data.standardise
    assert (data.strata, data.groups, data.order, data.fill) == (None, None, "shuffled", None)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HOUSES.encode(),
        HOUSES.replace("\n", "\r\n").encode(),
        HOUSES.replace("\n", "\n\n").encode() + b"\n\n",
        HOUSES.rstrip("\n").encode(),
        HOUSES.replace(",", " , ").encode(),
        b'"rooms","town","price"\n"3","Ulm","200"\n4,"Bonn",310.5\n2,Ulm,1.5e2\n5,Kiel,+400.0\n',
    ],
    ids=["BOM", "CRLF", "blank lines", "no last newline", "spaces", "quotes"],
)
def test_ways_to_write_the_same_table(load: Load, content: bytes) -> None:
    assert columns(load(content)) == columns(load(HOUSES))


@pytest.mark.parametrize(("separator", "sign"), [(";", ";"), ("tab", "\t"), ("\t", "\t"), ("|", "|")])
def test_other_separators(load: Load, separator: str, sign: str) -> None:
    assert columns(load(HOUSES.replace(",", sign), separator=separator)) == columns(load(HOUSES))


def test_quoted_separators_quotes_and_line_ends(load: Load) -> None:
    data = load('town,price\n"a, b",1\n"say ""c""",2\n"two\nlines",3\n')
    assert data.facts["feature_names"] == ("town=a, b", 'town=say "c"', "town=two\nlines")


def test_a_column_of_numbers_may_name_categories(load: Load) -> None:
    data = load("zip,price\n01,1\n1,2\n20,3\nA,4\n", categories=("zip",))
    assert data.facts["feature_names"] == ("zip=01", "zip=1", "zip=20", "zip=A")
    assert columns(data)[0] == torch.eye(4).tolist()


def test_columns_are_left_out(load: Load) -> None:
    data = load("id,rooms,price\nx1,3,1\nx2,4,2\n", drop=("id",))
    assert data.facts["feature_names"] == ("rooms",)
    assert load(",rooms,price\n0,3,1\n1,4,2\n", drop=("",)).facts["feature_names"] == ("rooms",)


@pytest.mark.parametrize(
    ("cells", "kind", "labels", "names"),
    [
        (["cat", "ant", "dog", "cat"], "auto", [1, 0, 2, 1], ("ant", "cat", "dog")),
        (["True", "False", "True", "True"], "auto", [1, 0, 1, 1], ("False", "True")),
        (["10", "2", "2.5", "2"], "class", [2, 0, 1, 0], ("2", "2.5", "10")),
        (["1", "a", "2", "b"], "class", [0, 2, 1, 3], ("1", "2", "a", "b")),
        (["cat", "none", "dog", "NA"], "auto", [1, 3, 2, 0], ("NA", "cat", "dog", "none")),
    ],
)
def test_classes_are_labelled_in_sorted_order(
    load: Load, cells: list[str], kind: str, labels: list[int], names: tuple[str, ...]
) -> None:
    data = load("x,price\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)), kind=kind)
    y = data.train[1]
    assert (y.tolist(), y.dtype) == (labels, torch.int64)
    assert (data.facts["class_names"], data.facts["classes"]) == (names, len(names))
    assert data.strata is y


@pytest.mark.parametrize("kind", ["auto", "number"])
def test_whole_numbers_are_numbers(load: Load, kind: str) -> None:
    y = load("x,price\n1,0\n2,1\n3,2\n", kind=kind).train[1]
    assert (y.dtype, y.shape) == (torch.float32, (3,))


def test_several_targets(load: Load) -> None:
    data = load("x,a,b\n1,2,true\n3,4,False\n", target=("a", "b"))
    assert columns(data) == ([[1], [3]], [[2, 1], [4, 0]])
    assert data.facts["targets"] == 2
    assert load("x,a\n1,2\n3,4\n", target=("a",)).train[1].shape == (2, 1)


def test_weights_and_groups_are_no_inputs(load: Load) -> None:
    data = load("x,who,w,price\n1,b,1,5\n2,a,0,6\n3,b,2.5,7\n", weight="w", group="who")
    assert columns(data) == ([[1], [2], [3]], [5, 6, 7], [1, 0, 2.5])
    assert data.groups is not None
    assert data.groups.tolist() == [0, 1, 0]


def test_the_last_rows_are_held_out(load: Load) -> None:
    data = load("x,price\n" + "".join(f"{n},{n}\n" for n in range(10)), order="last")
    parts = split(data, validation=0.25, test=0.2, seed=0)
    assert parts.test[1].tolist() == [8, 9]


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "NaN", "nan", "null", "None", "?", '""'])
def test_what_is_missing(load: Load, cell: str) -> None:
    content = f"rooms,price\n3,1\n{cell},2\n5,4\n"
    shown = cell.strip(' "').replace("NaN", "nan")  # Python reads both as a number
    said = f"{shown!r} is" if shown else "the cell is"
    message = f"t.csv, line 3, column 'rooms': {said} missing; mend it, or have it filled in by dataset.missing=mean"
    with pytest.raises(DataError, match="^" + re.escape(message)):
        load(content)
    assert math.isnan(load(content, missing="mean").train[0][1, 0])


def test_every_column_with_missing_cells_is_named_at_once(load: Load) -> None:
    content = "rooms,town,age,size,price\n3,a,,1,1\n,b,NA,2,2\n5,,4,3,3\n,a,5,4,4\n"
    said = (
        "t.csv: cells are missing in 3 columns: 'rooms' 2 (first in line 3), 'town' 1 (first in line 4), "
        "'age' 2 (first in line 2); mend them, have them filled in by dataset.missing=mean, median or a number, "
        "or leave columns out by dataset.drop"
    )
    with pytest.raises(DataError) as error:
        load(content)
    assert str(error.value) == said
    assert load(content, missing="median").train[0].isnan().sum() == 6  # two of them are the town's
    assert load("x,y,price\n1,none,1\n2,a,2\n3,a,3\n").train[0].shape == (3, 3)  # a word like others, named once


def test_a_missing_category_is_filled_in_each_of_its_inputs(load: Load) -> None:
    data = load("town,price\na,1\nb,2\n,3\na,4\n", missing="mean", standardise=False)
    filled = data.transform(data.train, torch.device("cpu"))(data.train)[0]
    assert filled.tolist() == [[1, 0], [0, 1], [float(np.float32(2 / 3)), float(np.float32(1 / 3))], [1, 0]]


def test_missing_numbers_are_filled_by_the_training_part_alone(load: Load) -> None:
    data = load(
        "x,price\n" + "".join(f"{'' if n % 4 == 1 else n},{n}\n" for n in range(40)), missing="median", order="last"
    )
    parts = split(data, validation=0.25, test=0.2, seed=0)
    known = np.array([n for n in range(24) if n % 4 != 1])
    x = np.where(np.arange(24) % 4 == 1, np.median(known), np.arange(24))
    filled = parts.transform(torch.device("cpu"))(parts.test)[0]
    assert filled[1].item() == pytest.approx((np.median(known) - x.mean()) / x.std(), rel=1e-6)  # row 33


def test_a_test_file_has_the_same_columns_in_any_order(load: Load) -> None:
    data = load(HOUSES, test="price,town,rooms\n7,Kiel,1\n")
    assert data.test is not None
    assert [column.tolist() for column in data.test] == [[[1, 0, 1, 0]], [7]]
    data = load("id,who,x,price\n1,a,2,u\n2,b,3,v\n", test="x,price\n9,v\n", drop=("id",), group="who")
    assert [column.tolist() for column in data.test or ()] == [[[9]], [1]]


def test_many_rows_are_read_in_parts_with_their_lines(load: Load) -> None:
    rows = [f"{n},{'odd' if n % 2 else 'even'},{n % 7}" for n in range(10_000)]
    data = load("n,parity,price\n" + "\n".join(rows))
    x = data.train[0]
    assert torch.equal(x[:, 0], torch.arange(10_000.0))
    assert torch.equal(x[:, 2], torch.arange(10_000) % 2)
    rows[9_000] = "nine thousand,even,1"
    with pytest.raises(DataError, match=r"^t.csv, line 9002, column 'n': 'nine thousand' is no number, and 9999 of"):
        load("n,parity,price\n" + "\n".join(rows))


BAD: list[tuple[Any, dict[str, Any], str]] = [
    ("", {}, "t.csv: is empty; the first line names the columns"),
    ("\n\n", {}, "t.csv: is empty"),
    ("x,price\n", {}, "t.csv: holds a header and no row"),
    ("x,price\n1,2\n", {}, "t.csv: holds one row; there is nothing to hold out"),
    ("1,2\n3,4\n", {}, "t.csv: the first line must name the columns, and holds 1, 2, all numbers"),
    ("x,price\n1,2\n3\n", {}, "t.csv, line 3: has 1 cells, and the header 2; a cell that holds the separator"),
    ("x,price\n1,2\n\n3,4,5\n", {}, "t.csv, line 4: has 3 cells, and the header 2"),
    ("x,price\n1,2\n3,\n", {}, "t.csv, line 3, column 'price': the cell is missing; mend it, or leave the row out"),
    ("x,price\n1,2\n3,NA\n", {"missing": "mean"}, "t.csv, line 3, column 'price': 'NA' is missing"),
    ("x,price\n1,a\n3,\n", {}, "t.csv, line 3, column 'price': the cell is missing"),
    ("x,price\n,2\n3,1\n,4\n", {}, "t.csv, line 2, column 'x': the cell is missing (2 cells of the column are); mend"),
    ("x,price\n1,2\ninf,4\n", {}, "t.csv, line 3, column 'x': inf is not finite, or beyond float32"),
    ("x,price\n1,2\n2,-Infinity\n", {}, "t.csv, line 3, column 'price': -inf is not finite"),
    ("x,price\n1,2\n1e39,4\n", {}, "t.csv, line 3, column 'x': 1e+39 is not finite, or beyond float32"),
    ("x,prise\n1,2\n2,4\n", {}, "target=price: t.csv has no such column; did you mean 'prise'?"),
    ("x;price\n1;2\n2;4\n", {}, "target=price: t.csv has no such column; the header is one name, 'x;price'; give dat"),
    ("x,price\n1,2\n2,4\n", {"drop": ("id",)}, "drop=id: t.csv has no such column; known are: price, x"),
    ("x,price\n1,2\n2,4\n", {"categories": ("zip",)}, "categories=zip: t.csv has no such column"),
    ("x,price\n1,2\n2,4\n", {"weight": "w"}, "weight=w: t.csv has no such column"),
    ("x,price\n1,2\n2,4\n", {"group": "who"}, "group=who: t.csv has no such column"),
    ("x,price\n1,2\n2,4\n", {"weight": "price"}, "weight=price: is the column of dataset.target too"),
    ("x,price\n1,2\n2,4\n", {"drop": ("price",)}, "drop=price: is the column of dataset.target too"),
    (
        "x,price\n1,2\n2,4\n",
        {"categories": ("price",)},
        "categories=price: is the column of dataset.target too; give d",
    ),
    ("x,price\n1,2\n2,4\n", {"drop": ("x",)}, "t.csv: has no column but price; there is nothing to predict by"),
    ("x,x,price\n1,2,3\n2,4,5\n", {}, "t.csv: two columns are called 'x', 1 and 2 (from 1)"),
    (
        ",x,price\n0,1,2\n1,2,4\n",
        {},
        "t.csv: column 1 (from 1) has no name; name it, or leave it out by dataset.drop=[",
    ),
    (b"x,price\n1,2\n\xe9,4\n", {}, "t.csv: is not UTF-8 (byte 0xe9: invalid continuation byte); save it as UTF-8"),
    ("x,price\n1,2\n".encode("utf-16"), {}, "t.csv: is not UTF-8 (byte 0xff: invalid start byte)"),
    (b"x,price\n1,2\n\x003,4\n", {}, "t.csv, line 3: holds a NUL character"),
    (b'x,price\n1,2\n"3,4\n', {}, "t.csv, line 3: cannot be read as CSV (unexpected end of data)"),
    (b'x,price\n1,2\n"3"x,4\n', {}, "t.csv, line 3: cannot be read as CSV (',' expected after '\"')"),
    ("x,price\n1,2\n3,2\n", {}, "t.csv: the target 'price' is 2 in every row; there is nothing to learn"),
    ("x,price\n1,a\n3,a\n", {}, "t.csv: the target 'price' is a in every row"),
    ("x,price\n1,1\n2,2\nthree,3\n", {}, "t.csv, line 4, column 'x': 'three' is no number, and 2 of 3 cells of the co"),
    ("x,price\na,1\nb,2\n3,3\n", {}, "t.csv, line 4, column 'x': '3' is a number, and 2 of 3 cells of the column hold"),
    ("x,price\n1,1\n2,2\n3,a\n", {}, "t.csv, line 4, column 'price': 'a' is no number, and 2 of 3 cells of the column"),
    ("x,price\n1,1\n2,a\n", {"kind": "number"}, "t.csv, line 3, column 'price': 'a' is not a number"),
    ("x,a,b\n1,1,u\n2,2,v\n", {"target": ("a", "b")}, "t.csv, line 2, column 'b': 'u' is not a number"),
    ("x,e,price\n1,,1\n2,NA,2\n", {"missing": "mean"}, "t.csv, line 2, column 'e': is empty, as in every row; leave"),
    ("x,w,price\n1,1,1\n2,-1,2\n", {"weight": "w"}, "t.csv, line 3, column 'w': -1.0 is no weight"),
    ("x,w,price\n1,0,1\n2,0,2\n", {"weight": "w"}, "t.csv, column 'w': every sample weighs 0"),
    ("x,w,price\n1,1,1\n2,,2\n", {"weight": "w", "missing": "mean"}, "t.csv, line 3, column 'w': the cell is missing"),
    ("x,g,price\n1,a,1\n2,,2\n", {"group": "g"}, "t.csv, line 3, column 'g': the cell is missing"),
    ("x,price\n1,1\n2,2\n", {"kind": "class", "target": ("price",)}, "kind=class: takes one target, by its name"),
    ("x,price\n1,1\n2,2\n", {"separator": ", "}, "separator=, : must be one character, or tab"),
    ("x,g,price\n1,a,1\n", {"group": "g", "order": "last"}, "order=last: keeps rows in order, and dataset.group"),
    ("x,price\n1,1\n2,2\n", {"target": ()}, "target=[]: must name a column"),
    ("x,price\n1,1\n2,2\n", {"path": "u.csv"}, "dataset.path=u.csv: there is no file "),
    ("x,price\n1,1\n2,2\n", {"path": "."}, "dataset.path=.: is a folder; "),
    ("x,price\n1,1\n2,2\n", {"path": ""}, "path=: must be the path of a file"),
    ("x,price\n1,1\n2,2\n", {"test": "y,price\n1,1\n"}, "test.csv: has no column 'x', which t.csv has"),
    ("x,price\n1,1\n2,2\n", {"test": "x,y,price\n1,1,1\n"}, "test.csv: has a column 'y', which t.csv does not have"),
    ("x,price\n1,1\n2,2\n", {"test": "x\n1\n"}, "target=price: test.csv has no such column"),
    ("x,price\na,1\nb,2\n", {"test": "x,price\na,1\nc,2\n"}, "test.csv, line 3, column 'x': 'c' stands in no row of "),
    ("x,price\na,1\nb,2\n", {"test": "x,price\na,1\n7,2\n"}, "test.csv, line 3, column 'x': '7' stands in no row of "),
    ("x,price\n1,a\n2,b\n", {"test": "x,price\n1,a\n2,c\n"}, "test.csv, line 3, column 'price': 'c' stands in no row"),
    ("x,price\n1,1\n2,2\n", {"test": "x,price\n1,1\nc,2\n"}, "test.csv, line 3, column 'x': 'c' is not a number"),
    ("x,price\n1,1\n2,2\n", {"test": "x,price\n"}, "test.csv: holds a header and no row"),
]


@pytest.mark.parametrize(("content", "arguments", "message"), BAD, ids=[message for *_, message in BAD])
def test_what_cannot_be_used_is_said(load: Load, content: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as error:
        load(content, **arguments)
    assert str(error.value).startswith(message)


def test_a_column_of_names_is_no_category(load: Load) -> None:
    content = "name,price\n" + "".join(f"name {n},{n}\n" for n in range(30))
    with pytest.raises(DataError, match="line 2, column 'name': 'name 0' is one of 30 words in 30 rows, too many"):
        load(content)
    assert load(content, categories=("name",)).facts["features"] == 30
    with pytest.raises(DataError, match="'1,5' is one of 30 words"):  # a decimal comma
        load("x;price\n" + "".join(f"{n + 1},5;{n}\n" for n in range(30)), separator=";")


def test_a_missing_file_says_what_lies_there(load: Load, tmp_path: Path) -> None:
    for name in ("house.csv", "other.txt"):
        (tmp_path / name).touch()
    with pytest.raises(DataError) as error:
        Table(path="houses.csv", target="price").load()
    there = tmp_path / "houses.csv"
    assert str(error.value) == f"dataset.path=houses.csv: there is no file {there}; did you mean 'house.csv'?"
    with pytest.raises(DataError, match=f"there is no file {tmp_path}/a/b/zzz; {tmp_path} holds house.csv, other.txt$"):
        Table(path="a/b/zzz", target="price").load()


def test_a_home_folder_is_found(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(HOUSES)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    assert Table(path="~/t.csv", target="price").load().samples == 4


def test_a_file_that_may_not_be_read_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: Any, **more: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    load(HOUSES)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"^t.csv: cannot be read \(Permission denied\)"):
        Table(path="t.csv", target="price").load()
