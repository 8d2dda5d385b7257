"""Compare runs by the files that they left: each schedule at its own best learning rate, seed against seed.

Reads run folders and nothing else; needs neither torch nor Hydra.
"""

from __future__ import annotations

from pathlib import Path

from lrsched.report.report import Report, compare_paths
from lrsched.report.tables.sweep_csv import sweep_csv, write_sweep_csv
from lrsched.report.terminal import render

__all__ = ["Report", "compare_paths", "render", "sweep_csv", "sweep_table", "write_sweep_csv"]


def sweep_table(path: Path, width: int | None = None, colour: bool = False) -> str:
    """Compare the runs in a sweep's folder, as text for a terminal.

    Args:
        path: the folder.
        width: of the terminal in columns; None for a file.
        colour: whether to mark the best in colour.

    Raises:
        ConfigError: the folder holds no run.
    """
    return render(compare_paths([path]), width, colour)
