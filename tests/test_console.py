"""A reader of stdout or stderr who has gone away ends nothing, and changes no exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.cli import TINY
from tests.helpers.readers import train_into

RUN = (*TINY, "logger=none", "name=x")
RATES = ("optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=0.1,0.2,1e30,0.3")


@pytest.mark.parametrize("launcher", ["pool", "basic"])
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_sweep_goes_on_to_its_end_and_keeps_its_exit_code(tmp_path: Path, launcher: str, reader: str) -> None:
    assert train_into(tmp_path, reader, "-m", *RUN, *RATES, f"hydra/launcher={launcher}") == (1, "")
    folder = tmp_path / "outputs" / "x"
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert sorted(job["status"] for job in jobs) == ["failed", "finished", "finished", "finished"]
    assert (folder / "sweep.csv").exists()
    assert not list(folder.glob(".*.log"))


@pytest.mark.parametrize("streams", ["", "2>&1"])
@pytest.mark.parametrize(("more", "code"), [("", 0), ("optimizer.lr=1e30", 3), ("trainer.epochs=0", 2)])
def test_a_run_goes_on_to_its_end_and_keeps_its_exit_code(tmp_path: Path, streams: str, more: str, code: int) -> None:
    ended, said = train_into(tmp_path, "true", *RUN, *more.split(), "trainer.progress=true", streams=streams)
    assert ended == code, said
    assert (tmp_path / "outputs" / "x").exists() == (code != 2)


def test_a_terminal_that_was_closed_is_a_reader_who_has_gone_away(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    code = "import sys\nfrom lrsched.console import *\nforgive_readers()\nsys.stdin.read()\n" + "tell('x')\n" * 3
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stdin=subprocess.PIPE) as process:
        os.close(theirs)
        os.close(ours)
        process.communicate(b"go on")
    assert process.returncode == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_printed_arrives_in_order_and_with_its_encoding(unbuffered: str) -> None:
    code = (
        "import sys, os\nfrom lrsched.console import *\nprint('one')\nforgive_readers()\nforgive_readers()\n"
        "print('zwei ä'); sys.stdout.flush(); os.write(1, b'three\\n'); print('four', end='')"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert done.stdout == "one\nzwei ä\nthree\nfour".encode("latin-1")
