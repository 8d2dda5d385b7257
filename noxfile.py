"""What is done with this repository, by name: ``nox -s check``, ``nox -s tests``, ``nox --list``.

Each session has an environment of its own, which ``nox -R`` uses again. ``nox --no-venv`` runs a session in the
environment that is active, installs nothing, and expects what CONTRIBUTING.md installs.
There is one Python then: name ``tests``, not ``tests-3.11``.
"""

from __future__ import annotations

import re
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
LOWER_ROOMS = ["tests/config", "tests/schedules", "tests/schedulers", "tests/checkpoint", "tests/train"]

nox.options.sessions = ["check"]


def install(session: nox.Session, *what: str) -> None:
    """Install the tree with extras, unless the session runs in an environment that is there already."""
    if session.virtualenv.is_sandboxed:
        session.install(*what)


@nox.session(python=PYTHONS[0])
def check(session: nox.Session) -> None:
    """Format, lint, types."""
    install(session, "-e", ".[dev]")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The quick tests; arguments after ``--`` go to pytest."""
    install(session, "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def slow(session: nox.Session) -> None:
    """The long tier: hours. Names of tests after ``--`` choose some."""
    install(session, "-e", ".[test,sweep]")
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Write docs/schedules.md and its pictures anew; the tests compare them with the schedules."""
    install(session, "-e", ".[plot]")
    session.run("python", "docs/gallery.py")


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """Every benchmark once, with few rounds; or those named after ``--``, as in ``nox -s bench -- startup``."""
    install(session, "-e", ".[bench]")
    for name in session.posargs or ["startup", "scheduler_step", "save_cost"]:
        session.run("python", f"benchmarks/{name}.py", "--rounds", "3")


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """The quick tests of the lower rooms with the oldest versions that pyproject.toml allows.

    Tried with Python 3.11, numpy 1.26.0, torch 2.10.0, torchvision 0.25.0: they resolve, and these tests pass.
    The other rooms were not tried; comparisons with peers are skipped, for the peers are not installed.
    """
    constraints = Path(session.create_tmp()) / "oldest.txt"
    needed = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    bounds = [re.match(r"([\w.-]+)>=([\w.]+)", line) for line in needed]
    constraints.write_text("".join(f"{bound[1]}=={bound[2]}\n" for bound in bounds if bound), "utf-8")
    install(session, "-e", ".", "pytest", "hypothesis", "-c", str(constraints))
    session.run("python", "-m", "pytest", *(session.posargs or LOWER_ROOMS))
