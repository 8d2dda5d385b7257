"""Log rows to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from lrsched.loggers.base import Logger, Row, RunInfo
from lrsched.records import write_atomically


class CSV(Logger):
    """All rows in ``metrics.csv``: a column for each name, an empty cell where a row has no such name.

    Floats have the shortest form that reads back exactly. The header is complete at any time: a row
    with a new name (the first evaluation has one) rewrites the whole file atomically, with the new
    column last. This happens a few times at the start of a run, while the file is short; every other
    row is appended.
    """

    def open(self, run: RunInfo) -> None:
        self._path = run.folder / "metrics.csv"
        kept: list[dict[str, str]] = []
        if run.resumed_at is not None and self._path.exists():
            kept = [row for row in _read(self._path) if int(row["step"]) < run.resumed_at]
        self._file = self._rewrite(list(kept[0]) if kept else [], kept)

    def write(self, row: Row) -> None:
        new = [name for name in row if name not in self._columns]
        if new:
            self._file.close()
            self._file = self._rewrite([*self._columns, *new], _read(self._path))
        self._table.writerow([row.get(name, "") for name in self._columns])

    def flush(self) -> None:
        self._file.flush()

    def close(self, metrics: Mapping[str, float], status: str = "finished") -> None:
        self._file.close()

    def _rewrite(self, columns: list[str], rows: Iterable[Row]) -> TextIO:
        """Write the file with these columns and rows, and return it open at its end."""
        text = io.StringIO()
        if columns:
            table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        write_atomically(self._path, text.getvalue().encode())
        file = open(self._path, "a", encoding="utf-8", newline="")  # noqa: SIM115  (lives as long as the run)
        self._columns, self._table = columns, csv.writer(file, lineterminator="\n")
        return file


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of the file, as text, without an incomplete last row of a killed process."""
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1].decode()
    return list(csv.DictReader(io.StringIO(whole, newline="")))
