"""Write ``report.html`` into a folder, whatever happens."""

from __future__ import annotations

from pathlib import Path

from lrsched.console import say
from lrsched.records import write_atomically
from lrsched.report.report import Report

FILE = "report.html"


def write_page(report: Report, folder: Path) -> None:
    """Write the page of a sweep into its folder. The sweep has ended: a fault is said, and changes nothing."""
    try:
        from lrsched.page.page import page  # its libraries may fail too

        write_atomically(folder / FILE, page(report, [folder]).encode())
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        say(f"warning: {folder / FILE} was not written ({reason}); lrsched report {folder} --html F tries again")
