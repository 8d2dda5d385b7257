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
from tests.helpers.fork_server import start_program, wait

RUN = (*TINY, "logger=none", "name=x")
RATES = ("optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=0.1,0.2,1e30,0.3")


def run(folder: Path, reader: str, *arguments: str, streams: str = "2>&1") -> tuple[int | None, str]:
    """``lrsched train ARGUMENTS STREAMS | READER``: the exit code of what stands before the pipe, and other output."""
    pipe = folder / "pipe"
    stderr = pipe if streams else folder / "stderr"
    os.mkfifo(pipe)
    command = ["bash", "-c", f"{reader} < {pipe}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        code = wait(start_program(["train", *arguments], folder, pipe, stderr), 120)
        _, said = process.communicate()
    return code, said if streams else said + stderr.read_text()


@pytest.mark.parametrize("launcher", ["pool", "basic"])
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_sweep_goes_on_to_its_end_and_keeps_its_exit_code(tmp_path: Path, launcher: str, reader: str) -> None:
    assert run(tmp_path, reader, "-m", *RUN, *RATES, f"hydra/launcher={launcher}") == (1, "")
    folder = tmp_path / "outputs" / "x"
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert sorted(job["status"] for job in jobs) == ["failed", "finished", "finished", "finished"]
    assert (folder / "sweep.csv").exists()
    assert not list(folder.glob(".*.log"))


@pytest.mark.parametrize("streams", ["", "2>&1"])
@pytest.mark.parametrize(("more", "code"), [("", 0), ("optimizer.lr=1e30", 3), ("trainer.epochs=0", 2)])
def test_a_run_goes_on_to_its_end_and_keeps_its_exit_code(tmp_path: Path, streams: str, more: str, code: int) -> None:
    ended, said = run(tmp_path, "true", *RUN, *more.split(), "trainer.progress=true", streams=streams)
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
