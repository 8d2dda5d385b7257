"""Programs whose output another one reads, for as long as it likes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.helpers.fork_server import start_program, wait


def train_into(folder: Path, reader: str, *arguments: str, streams: str = "2>&1") -> tuple[int | None, str]:
    """``lrsched train ARGUMENTS STREAMS | READER``: the exit code of what stands before the pipe, and other output."""
    pipe = folder / "pipe"
    stderr = pipe if streams else folder / "stderr"
    os.mkfifo(pipe)
    command = ["bash", "-c", f"{reader} < {pipe}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        code = wait(start_program(["train", *arguments], folder, pipe, stderr), 120)
        _, said = process.communicate()
    return code, said if streams else said + stderr.read_text()
