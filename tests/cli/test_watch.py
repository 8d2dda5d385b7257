"""``lrsched watch``: what it says, what it refuses, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from lrsched.cli.watch import main
from lrsched.signals import stop_flag
from tests.report.conftest import leave  # noqa: F401  (a fixture)


@pytest.fixture
def sweep(leave: Callable[..., Path], tmp_path: Path) -> Path:  # noqa: F811
    leave("Cosine", 0.1, 0, 0.5, rows=[{"step": 1, "val/loss": 0.5}])
    return tmp_path / "sweep"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_its_address_and_ends_on_a_signal(
    sweep: Path, number: int, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    answers: list[int] = []

    def look() -> None:
        said = ""
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)(/[\w-]+/)", said)):
            said += capfd.readouterr().out
        connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=5)
        connection.request("GET", found[2])
        answers.append(connection.getresponse().status)
        connection.close()
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=look)
    thread.start()
    assert main([str(sweep)]) == code
    thread.join()
    assert answers == [200]
    assert not stop_flag().listens


def test_a_port_can_be_chosen(sweep: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    seen: list[str] = []

    def look() -> None:
        while "http://" not in "".join(seen):
            seen.append(capfd.readouterr().out)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=look)
    thread.start()
    main([str(sweep), "--port", str(free)])
    thread.join()
    assert f"127.0.0.1:{free}/" in "".join(seen)


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
