"""``sweep.fail_fast`` under launchers of others, which begin one job after another whatever became of the first.

A job that does not finish leaves a mark in the sweep's folder, and who finds it there does not begin: on any launcher,
and on many machines that share the folder. The command that begins a sweep takes the mark away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrsched.errors import NotBegun, UserError

MARK = ".failed"


@contextmanager
def failing_fast(sweep: Path, wanted: bool) -> Iterator[None]:
    """Within it a job is made; if it does not finish, no other one is begun.

    Args:
        sweep: the folder.
        wanted: else nothing is looked at, and nothing left.

    Raises:
        NotBegun: another job did not finish.
    """
    if wanted and (sweep / MARK).exists():
        raise NotBegun("was not begun: sweep.fail_fast")
    try:
        yield
    except UserError:
        if wanted:
            (sweep / MARK).touch()
        raise


def forget(sweep: Path) -> None:
    """Begin anew."""
    (sweep / MARK).unlink(missing_ok=True)
