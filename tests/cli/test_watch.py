"""``lrsched watch``: what it says, what it refuses, how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from lrsched.cli.watch import main, serve
from lrsched.errors import Stopped
from lrsched.signals import stop_flag
from lrsched.watch.live import Live, Question
from lrsched.watch.server import Server
from tests.report.conftest import leave  # noqa: F401  (a fixture)


@pytest.fixture
def sweep(leave: Callable[..., Path], tmp_path: Path) -> Path:  # noqa: F811
    leave("Cosine", 0.1, 0, 0.5, rows=[{"step": 1, "val/loss": 0.5}])
    return tmp_path / "sweep"


def watched(words: list[str], look: Callable[[int, str], None], number: int = signal.SIGINT) -> tuple[int, str]:
    """Run the command and give its exit code and what it printed.

    As soon as it has printed its address, a thread looks at it and then ends it by the signal; without an
    address it does so after 30 seconds. What it prints goes to a buffer: pytest's own capture loses
    characters if one thread reads it while another one writes.
    """
    said = io.StringIO()

    def visit() -> None:
        try:
            for _ in range(3000):
                if found := re.search(r"http://127\.0\.0\.1:(\d+)(/[\w-]+/)", said.getvalue()):
                    look(int(found[1]), found[2])
                    break
                time.sleep(0.01)
        finally:
            os.kill(os.getpid(), number)

    thread = threading.Thread(target=visit)
    with contextlib.redirect_stdout(said):
        thread.start()
        code = main(words)
    thread.join()
    return code, said.getvalue()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_its_address_and_ends_on_a_signal(sweep: Path, number: int, code: int) -> None:
    answers: list[int] = []

    def look(port: int, path: str) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        answers.append(connection.getresponse().status)
        connection.close()

    assert watched([str(sweep)], look, number)[0] == code
    assert answers == [200]
    assert not stop_flag().listens


def test_a_signal_while_a_request_is_taken_ends_it(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []

    def interrupted(self: Server, request: socket.socket, address: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        taken.append(True)
        self.shutdown_request(request)

    monkeypatch.setattr(Server, "process_request", interrupted)
    with stop_flag().alone(), Server(Live(Question([sweep], None, None, None))) as server:
        late = threading.Timer(20, server.shutdown)  # it goes on for ever: red, and not for ever
        late.start()
        with socket.create_connection(("127.0.0.1", server.server_port)), pytest.raises(Stopped):
            serve(server)
        late.cancel()
    assert taken


def test_a_port_can_be_chosen(sweep: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    seen: list[int] = []
    watched([str(sweep), "--port", str(free)], lambda port, path: seen.append(port))
    assert seen == [free]


BAD: dict[str, tuple[list[str], str]] = {
    "no path": ([], "PATH"),
    "no such folder": (["nowhere"], "PATH=nowhere: there is no such folder"),
    "a folder without a run": (["empty"], "PATH=empty: there is no run in it; give outputs/NAME"),
    "a file": (["file"], "PATH=file: there is no run in it"),
    "one of two": (["SWEEP", "nowhere"], "PATH=nowhere"),
    "port zero": (["SWEEP", "--port", "0"], "--port: '0' is no port: give a number from 1 to 65535"),
    "port too large": (["SWEEP", "--port", "65536"], "give a number from 1 to 65535"),
    "port below zero": (["SWEEP", "--port=-1"], "give a number from 1 to 65535"),
    "no number": (["SWEEP", "--port", "http"], "--port: 'http' is no port"),
    "another script's digits": (["SWEEP", "--port", "８１"], "is no port"),
    "port taken": (["SWEEP", "--port", "TAKEN"], "give another one, or none for one that is free"),
    "no such metric": (["SWEEP", "--metric", "val/los"], "did you mean 'val/loss'?"),
    "no such mode": (["SWEEP", "--mode", "up"], "--mode"),
    "no target": (["SWEEP", "--target", "soon"], "'soon' is neither a number nor auto"),
    "no such option": (["SWEEP", "--host", "0.0.0.0"], "--host"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_watched_is_refused_in_one_message(
    sweep: Path, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    given, wanted = BAD[case]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        spelled = {"SWEEP": str(sweep), "TAKEN": str(taken.getsockname()[1])}
        code = main([spelled.get(word, word) for word in given])
    said = capfd.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.count("lrsched: ") == said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert wanted in said.err
    assert sorted(tmp_path.rglob("*")) == before
