"""Rows are appended whole, cut back where a checkpoint says, and never made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrsched.errors import CheckpointError
from lrsched.records import Rows, read_rows


def test_rows_after_the_offset_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = Rows(path)
    rows.write({"step": 0})
    offset = rows.offset()
    assert offset == path.stat().st_size == len('{"step": 0}\n')
    rows.write({"step": 1})
    rows.close()
    again = Rows(path, offset)
    again.write({"step": 1, "again": True})
    again.close()
    assert list(read_rows(path)) == [{"step": 0}, {"step": 1, "again": True}]


def test_a_file_that_lost_rows_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0}\n')
    with pytest.raises(CheckpointError, match="has 12 bytes, and the checkpoint was made when it had 13"):
        Rows(path, 13)
    assert path.read_text() == '{"step": 0}\n'


def test_a_number_that_is_no_json_is_refused(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows")
    with pytest.raises(ValueError, match="not JSON compliant"):
        rows.write({"loss": float("nan")})
    rows.close()


def test_a_half_written_last_row_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(json.dumps({"step": 0}) + "\n" + '{"step": 1, "lo')
    assert list(read_rows(path)) == [{"step": 0}]
