"""metrics.csv: every row, every column, every bit."""

from __future__ import annotations

import csv
from pathlib import Path

from lrsched.loggers import CSV, RunInfo

TRAIN = [{"step": s, "epoch": (s + 1) / 3, "train/loss": 1 / (s + 3), "lr/default": 0.1} for s in range(6)]
EVALUATIONS = [{"step": s, "epoch": s / 3, "val/loss": 1 / (s + 7), "val/accuracy": 2 / 3} for s in (3, 6)]
ROWS = [*TRAIN[:3], EVALUATIONS[0], *TRAIN[3:], EVALUATIONS[1]]


def run(folder: Path, resumed_at: int | None = None) -> RunInfo:
    return RunInfo(folder, {}, steps=6, steps_per_epoch=3, samples_per_step=8, resumed_at=resumed_at)


def write(folder: Path, rows: list, resumed_at: int | None = None) -> None:
    logger = CSV()
    logger.open(run(folder, resumed_at))
    for row in rows:
        logger.write(row)
    logger.close({})


def read(folder: Path) -> list[dict[str, float]]:
    with open(folder / "metrics.csv", newline="") as file:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]


def test_a_row_reads_back_exactly_and_columns_stand_in_order_of_appearance(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    assert read(tmp_path) == ROWS
    first, second, *_ = (tmp_path / "metrics.csv").read_text().splitlines()
    assert first == "step,epoch,train/loss,lr/default,val/loss,val/accuracy"
    assert second == "0,0.3333333333333333,0.3333333333333333,0.1,,"


def test_text_with_separators_survives(tmp_path: Path) -> None:
    write(tmp_path, [{"step": 0, "note": 'a "b", c'}])
    with open(tmp_path / "metrics.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"step": "0", "note": 'a "b", c'}]


def test_flush_hands_over_what_was_written(tmp_path: Path) -> None:
    logger = CSV()
    logger.open(run(tmp_path))
    for row in ROWS:
        logger.write(row)
    logger.flush()
    assert read(tmp_path) == ROWS
    logger.close({})


def test_a_resumed_run_has_each_row_once(tmp_path: Path) -> None:
    """Killed in update 5, continued from the checkpoint of step 4."""
    write(tmp_path, ROWS[:-2])
    write(tmp_path, ROWS[5:], resumed_at=4)
    assert read(tmp_path) == ROWS


def test_a_resumed_run_drops_the_half_row_that_a_kill_left(tmp_path: Path) -> None:
    write(tmp_path, ROWS[:6])
    with open(tmp_path / "metrics.csv", "ab") as file:
        file.write(b"5,2.0,0.12")
    write(tmp_path, ROWS[6:], resumed_at=5)
    assert read(tmp_path) == ROWS


def test_resumed_at_step_0_or_where_there_was_no_table_it_starts_anew(tmp_path: Path) -> None:
    write(tmp_path, ROWS[4:], resumed_at=3)
    assert read(tmp_path) == ROWS[4:]
    write(tmp_path, ROWS, resumed_at=0)
    assert read(tmp_path) == ROWS


def test_without_rows_the_table_is_empty(tmp_path: Path) -> None:
    write(tmp_path, [])
    assert (tmp_path / "metrics.csv").read_bytes() == b""
