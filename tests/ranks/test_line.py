"""The line between processes: who is killed, stopped or raises is known, and who is slow is not lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from lrsched.ranks import line as module
from lrsched.ranks.line import Line, Peer
from lrsched.ranks.wire import connected, goes_on, heard, hello, listener, machine
from lrsched.ranks.world import RankLost

Make = Callable[..., tuple[Line, list[socket.socket]]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A line to some processes, of which the tests hold the other ends; time runs ten times as fast."""
    for name in ("BEAT", "SILENCE", "BUSY", "TICK"):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)
    made: list[tuple[Line, list[socket.socket]]] = []

    def begin(ranks: list[int], pid: int = 0, **how: object) -> tuple[Line, list[socket.socket]]:
        pairs = [socket.socketpair() for _ in ranks]
        peers = [Peer(rank, ours, pid, machine()) for rank, (ours, _) in zip(ranks, pairs, strict=True)]
        made.append((Line(peers, **how), [theirs for _, theirs in pairs]))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for line, others in made:
        line.close()
        for other in others:
            other.close()


def lost(line: Line) -> RankLost | None:
    """What it raises within two seconds."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            line.check()
        except RankLost as error:
            return error
        time.sleep(0.01)
    return None


def told(sock: socket.socket) -> list[dict[str, object]]:
    """What it was told but beats, so far."""
    sock.settimeout(0.5)
    found = b""
    while not found.endswith(b"}\n"):
        found += sock.recv(1000)
    return [json.loads(each) for each in found.split(b"\n") if each]


def test_an_end_without_a_goodbye_is_a_loss_and_the_others_are_told(make: Make) -> None:
    line, (second, third) = make([1, 2], how=lambda rank: ("was killed by SIGKILL", "its last words"))
    second.close()
    error = lost(line)
    assert str(error) == "rank 1 was killed by SIGKILL"
    assert error is not None
    assert (error.exit_code, error.trace) == (1, "its last words")
    assert told(third) == [{"lost": "rank 1 was killed by SIGKILL", "code": 1}]


def test_after_a_goodbye_nobody_is_missed(make: Make) -> None:
    line, (second,) = make([1])
    second.sendall(b'{"bye": true}\n')
    second.close()
    time.sleep(0.1)
    line.check()


def test_the_error_of_another_process_is_raised_here_with_its_exit_code(make: Make) -> None:
    line, (second,) = make([1])
    second.sendall(b'\n{"error": "no such file", "code": 6, ')  # a message may come in pieces
    time.sleep(0.05)
    line.check()
    second.sendall(b'"trace": "Traceback"}\n')
    second.close()
    error = lost(line)
    assert str(error) == "rank 1: no such file"
    assert error is not None
    assert (error.exit_code, error.trace) == (6, "Traceback")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_stopped_process_is_lost_and_one_that_does_not_speak_is_not(
    make: Make, sleeper: subprocess.Popen[bytes]
) -> None:
    line, _ = make([1], pid=sleeper.pid)  # it goes on, and says nothing: as one whose lock some other code holds
    time.sleep(1.2)
    line.check()
    sleeper.send_signal(signal.SIGSTOP)
    assert "rank 1 has not been heard" in str(lost(line))


def test_who_beats_is_heard(make: Make) -> None:
    line, (second,) = make([1])  # its process is not on this machine
    for _ in range(12):
        second.sendall(b"\n")
        time.sleep(0.1)
    line.check()
    assert second.recv(1000).strip() == b""  # and so does this one


def test_what_rank_0_learns_is_known_to_the_others_and_its_own_goodbye_ends_the_run(make: Make) -> None:
    line, (first,) = make([0])
    first.sendall(b'{"lost": "rank 2 was killed by SIGKILL", "code": 1}\n')
    assert str(lost(line)) == "rank 2 was killed by SIGKILL"
    line, (first,) = make([0])
    first.sendall(b'{"bye": true}\n')
    assert str(lost(line)) == "rank 0 has ended the run"


def test_a_broken_connection_is_named_by_what_the_line_knows(make: Make) -> None:
    line, (second,) = make([1])
    second.sendall(b'{"after": "rank 2 has not been heard"}\n')
    second.close()
    time.sleep(0.1)
    line.check()  # it left because of another: that is no loss of its own
    error = line.lost(RuntimeError("Connection closed by peer"))
    assert "rank 1 says that rank 2 has not been heard" in str(error)


def test_only_who_knows_the_token_is_let_in() -> None:
    with listener("127.0.0.1") as found:
        address = found.getsockname()
        assert address[0] == "127.0.0.1"
        for said in (hello("another", 1), b"GET / HTTP/1.1\r\n\r\n", b'{"token": 3}\n', b"x" * 2000, b"[]\n"):
            with socket.create_connection(address) as stranger:
                stranger.sendall(said)
                stranger.shutdown(socket.SHUT_WR)
                with found.accept()[0] as sock:
                    assert heard(sock, "secret") is None
        with socket.create_connection(address) as ours:
            ours.sendall(hello("secret", 3))
            with found.accept()[0] as sock:
                said = heard(sock, "secret")
            assert said is not None
            assert (said["rank"], said["pid"]) == (3, os.getpid())


def test_a_process_does_not_take_a_stranger_for_rank_0() -> None:
    with listener("127.0.0.1") as found:
        pid = os.fork()
        if not pid:
            try:
                sock, _ = found.accept()
                sock.sendall(hello("another", 0))
                sock.recv(100)
            finally:
                os._exit(0)
        with pytest.raises(ConnectionError):
            connected(found.getsockname(), "secret", 1)
        os.waitpid(pid, 0)


def test_who_is_there() -> None:
    assert goes_on(os.getpid())
    assert not goes_on(2**22 + 1)
