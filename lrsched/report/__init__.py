"""What runs left behind, compared fairly: each schedule at its own best learning rate, seed against seed.

Reads run folders and nothing else; neither torch nor Hydra is needed.
"""

from __future__ import annotations

from pathlib import Path

from lrsched.report.csv import sweep_csv, write_sweep_csv
from lrsched.report.report import Study, study
from lrsched.report.terminal import render

__all__ = ["Study", "render", "study", "sweep_csv", "sweep_table", "write_sweep_csv"]


def sweep_table(path: Path, width: int | None = None, colour: bool = False) -> str:
    """The comparison of the runs in a sweep's folder, as text for a terminal.

    Args:
        path: the folder.
        width: of the terminal in columns, None where the text goes into a file.
        colour: whether to mark the best in colour.

    Raises:
        ConfigError: there is no run in it.
    """
    return render(study([path]), width, colour)
