"""No part of the program branches on words of ours: with a hash in the place of every message its tests pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = "tests.helpers.hashed_messages"

PAUSED = "tests/sweep/test_halving.py::test_a_sweep_can_be_paused_and_goes_on_without"
FEW = [
    PAUSED,
    "tests/sweep/test_sweep_options.py::test_a_sweep_of_one_that_does_not_finish_is_told_in_the_singular",
    "tests/report/test_runs.py",
]
ALL = [
    *(
        f"tests/sweep/test_{name}.py"
        for name in ("sweep", "sweep_options", "halving", "optuna", "deaths", "share", "combinations")
    ),
    "tests/report",
    "tests/cli/test_report.py",
]

NUMBERS = "interval_covers or public_grid and adamw"
"""Long tests of ``ALL`` that would wait for nothing: simulations without a message, and a grid made twice."""

READS_WORDS = """
import lrsched.ended as ended

ended.ending_of = lambda record: ended._of_0_1_0(str(record.get("status")), str(record.get("reason") or ""))
"""
"""A plugin that makes the program tell the ends of runs by the words of their reasons, whatever the fields say."""


def run_tests(root: Path, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests in another process; ``place`` holds further plugins."""
    command = [sys.executable, "-m", "pytest", f"--basetemp={place / 'temp'}", "-p", "no:cacheprovider", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(place), environment.get("PYTHONPATH", "")]).strip(os.pathsep)
    environment["LRSCHED_TEST_HASHES"] = str(place / "hashes")
    (place / "hashes").mkdir(exist_ok=True)
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def check(done: subprocess.CompletedProcess[str], place: Path) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert any((place / "hashes").iterdir())


def test_some_tests_of_sweeps_and_reports_pass_without_a_word(root: Path, tmp_path: Path) -> None:
    check(run_tests(root, tmp_path, "-n0", "-p", PLUGIN, *FEW), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [False, True])
def test_a_program_that_reads_words_is_found_by_their_absence(root: Path, tmp_path: Path, hidden: bool) -> None:
    (tmp_path / "reads_words.py").write_text(READS_WORDS)
    plugins = ["-p", "reads_words", *(["-p", PLUGIN] if hidden else [])]
    done = run_tests(root, tmp_path, "-n0", *plugins, PAUSED)
    assert done.returncode == int(hidden), done.stdout + done.stderr
    assert ("1 failed" if hidden else "1 passed") in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("tier", "workers"), [("not slow", 2), ("slow", 0)])  # slow ones compare times: one by one
def test_the_suites_of_sweeps_halving_studies_and_reports_pass_without_a_word(
    root: Path, tmp_path: Path, tier: str, workers: int
) -> None:
    chosen = ("-m", tier, "-k", f"not ({NUMBERS})")
    check(run_tests(root, tmp_path, f"-n{workers}", "-p", PLUGIN, *chosen, *ALL), tmp_path)
