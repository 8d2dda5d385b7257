"""Write ``report.html`` into a folder, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.console import say
from lrsched.records import write_atomically

if TYPE_CHECKING:
    from lrsched.report.report import Report

FILE = "report.html"


def write_page(folder: Path, report: Report | None = None) -> None:
    """Write the page of a sweep into its folder. The sweep has ended: a fault is said, and changes nothing.

    Args:
        folder: of the sweep.
        report: of the folder, if it is made already.
    """
    try:
        from lrsched.page.page import page  # its libraries may fail too
        from lrsched.report.report import compare_paths

        write_atomically(folder / FILE, page(report or compare_paths([folder]), [folder]).encode())
        say(f"{folder / FILE} shows it in a browser")
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        say(f"warning: {folder / FILE} was not written ({reason}); lrsched report {folder} --html F tries again")
