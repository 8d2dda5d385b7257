"""A server that has imported torch once and forks a child for each run: milliseconds, where an import costs seconds.

It is a process of its own, with a single thread and never an OpenMP pool: the test process has other threads by
the time that it comes here, and must not fork. (The standard library's fork server imports the main module anew
in every child, and under pytest that is pytest.)
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.helpers import savings

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = (
    "hydra._internal.core_plugins.basic_launcher",
    "lrsched.sweep.launchers.pool",
    "lrsched.runs.execute",
    "lrsched.cli",
    "lrsched.data.synthetic",
    "lrsched.loggers.csv",
    "lrsched.models.cnn",
    "lrsched.report",
    "tests.helpers.faults",
    "torch._dynamo",  # PyTorch's own schedulers import it when they are built
    "torch.utils.serialization.config",
)
"""Modules that the children need; each child imports the others again."""

_PAUSE = 0.001  # seconds between two looks at a child


def start(said: Path, work: Callable[[], Any]) -> int:
    """Run ``work`` in a new child with its output in ``said``; return the child's process id."""
    return _server().ask(partial(_fork, said, work))


def start_program(arguments: Sequence[str], cwd: Path, stdout: Path, stderr: Path) -> int:
    """Run ``lrsched ARGUMENTS`` in a new child to its own end, that of the interpreter; return its process id.

    All but the imports is what a fresh process does. ``stdout`` and ``stderr`` may be one file, or a named pipe.
    """
    return _server().ask(partial(_fork_program, tuple(arguments), cwd, stdout, stderr, dict(os.environ)))


def wait(pid: int, seconds: float) -> int | None:
    """The child's exit code, a signal negative; None if it still runs after so many seconds."""
    return _server().ask(partial(_wait, pid, seconds))


def stop() -> None:
    """End the server, if there is one."""
    if _server.cache_info().currsize:
        _server().close()
        _server.cache_clear()


class _Server:
    """The test process's end of the two pipes."""

    def __init__(self) -> None:
        code = "from tests.helpers.fork_server import serve; serve()"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._answers = self._process.stdin, self._process.stdout

    def ask(self, order: Callable[[], Any]) -> Any:
        pickle.dump(order, self._orders)
        self._orders.flush()
        return pickle.load(self._answers)

    def close(self) -> None:
        self._orders.close()
        self._process.wait()
        self._answers.close()


@cache
def _server() -> _Server:
    return _Server()


def serve() -> None:
    """Serve orders from standard input until it ends, and answer on standard output."""
    import torch

    for name in PRELOADED:
        import_module(name)
    torch.set_num_threads(1)
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nobody else speaks on the pipe
    savings.install()
    _warm_up()
    gc.collect()
    gc.freeze()  # or else each child goes through all of PyTorch when it ends
    gc.set_threshold(100_000)  # a child makes one run
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads must not fork"
    while True:
        try:
            order = pickle.load(orders)
        except EOFError:
            return
        pickle.dump(order(), answers)
        answers.flush()


def _warm_up() -> None:
    """Make a run here, and resume it: then no child prepares anew what PyTorch and OmegaConf prepare at first use.

    Afterwards random numbers and PyTorch are as they were: a run that forgot to seed or to set them would show it.
    """
    import numpy as np
    import torch

    from lrsched.cli.job import run_config
    from lrsched.compose.hydra_setup import register
    from tests.helpers.cases import command
    from tests.helpers.runs import composed, set_config

    register()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    with TemporaryDirectory() as place, chdir(place), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        run_config(set_config(composed(*command("plateau"), "sweep.until=9")))
        run_config(set_config(composed("resume=outputs/run", "sweep.until=null")))
    torch._C._set_deterministic_algorithms(False, warn_only=False)
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def _fork(said: Path, work: Callable[[], Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(descriptor, number)
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _fork_program(
    arguments: tuple[str, ...], cwd: Path, stdout: Path, stderr: Path, environment: dict[str, str]
) -> int:
    pid = os.fork()
    if pid:
        return pid
    out = os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    both = stderr == stdout
    error = out if both else os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), out, error)):
        os.dup2(descriptor, number)
    os.close(out)
    if not both:
        os.close(error)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["lrsched", *arguments]
    from lrsched.cli.main import main

    main()
    sys.exit()  # out of the loop of orders, and through Python's own end


def _wait(pid: int, seconds: float) -> int | None:
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(_PAUSE)
