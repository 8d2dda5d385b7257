"""What is done with this repository, by name: ``nox -s check``, ``nox -s tests``, ``nox --list``.

Each session has an environment of its own, which ``nox -R`` uses again. ``nox --no-venv`` runs a session in the
environment that is active, installs nothing, and expects what CONTRIBUTING.md installs.
There is one Python then: name ``tests``, not ``tests-3.11``.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
LOWER_ROOMS = ["tests/config", "tests/schedules", "tests/schedulers", "tests/checkpoint", "tests/train"]

ROOMS_WITHOUT_TORCH = ["lrsched/config", "lrsched/preview", "lrsched/report", "lrsched/schedules"]
TESTS_WITHOUT_TORCH = {
    "compose": ["composer", "onto"],
    "config": ["check"],
    "loggers": ["csv", "shelf", "summary", "tensorboard", "terminal"],
    "preview": ["course"],
    "report": ["candidates", "compare", "runs", "stats"],
    "schedulers": ["expression"],
    "schedules": ["also", "combining", "conformance_megatron", "conformance_titan", "conventions", "extend",
                  "messages", "noise", "options", "properties", "restarts", "tables", "yaml"],
    "sweep": ["combinations", "gpus", "prefix"],
    ".": ["ended", "horizon", "records"],
}  # fmt: skip

CHROMIUMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

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


@nox.session(python=PYTHONS[-1])
def newest(session: nox.Session) -> None:
    """The quick tests where torch is there or among pip's local files; or else those that need none.

    For a Python that is newer than the one in daily use: torch is not downloaded for it once more.
    """
    needed = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    heavy = [line for line in needed if line.startswith("torch")]
    if session.virtualenv.is_sandboxed:
        session.install("--no-index", *heavy, silent=True, success_codes=[0, 1])
    torch = "from importlib.util import find_spec; print(find_spec('torch') is not None)"
    if "True" in str(session.run("python", "-c", torch, silent=True)):
        install(session, "-e", ".[test]")
        session.run("python", "-m", "pytest", *session.posargs)
        return
    session.log("no torch here for this Python, neither installed nor a local file: the tests that need none run")
    light = [line for line in needed if not line.startswith(("torch", "scikit-learn"))]
    install(session, *light, "hypothesis", "pytest", "pytest-xdist", "scipy", "setuptools")
    install(session, "--no-deps", "-e", ".")
    session.run("lrsched", "--help", silent=True)
    session.run("lrsched", "preview", "scheduler=cosine,wsd", silent=True)
    tests = [f"tests/{room}/test_{name}.py" for room, names in TESTS_WITHOUT_TORCH.items() for name in names]
    session.run("python", "-m", "pytest", *(session.posargs or [*ROOMS_WITHOUT_TORCH, *tests]))


@nox.session(python=PYTHONS[0])
def slow(session: nox.Session) -> None:
    """The long tier: hours. Names of tests after ``--`` choose some."""
    install(session, "-e", ".[test,sweep]")
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session(python=PYTHONS[0])
def browser(session: nox.Session) -> None:
    """The report's page in a real Chromium; root on Debian gets one where there is none, others are told."""
    install(session, "-e", ".[browser,test]")
    there = os.environ.get("LRSCHED_CHROMIUM") or any(map(shutil.which, CHROMIUMS))
    if not there and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {"external": True, "silent": True, "success_codes": range(256)}
        session.run("apt-get", "update", **quiet)
        session.run("apt-get", "install", "--yes", "--no-install-recommends", CHROMIUMS[0], **quiet)
    session.run("python", "-m", "pytest", "-n0", "-m", "slow", "tests/page/browser", *session.posargs)


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Write what is generated in docs/ anew (tests compare it), and build the pages: build/docs/index.html."""
    install(session, "-e", ".[docs]")
    session.run("python", "docs/gallery.py")
    session.run("python", "docs/keys.py")
    session.run("python", "docs/signatures.py")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "build/docs")


@nox.session(python=PYTHONS[0])
def typed(session: nox.Session) -> None:
    """Type every command of the pages, and compare what it prints; or of those named after ``--``."""
    install(session, "-e", ".[docs,test]")
    session.run("python", "docs/commands.py", *session.posargs)


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
