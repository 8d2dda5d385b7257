"""Who may look: whoever knows the address, by its own name, by GET or HEAD, and at the page alone."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected
from pathlib import Path

import pytest

from lrsched.watch.live import Live, Question
from lrsched.watch.server import MOST, Server


@pytest.fixture
def server(leave: Callable[..., Path], tmp_path: Path) -> Iterator[Server]:
    leave("Cosine", 0.1, 0, 0.5, rows=[{"step": 1, "val/loss": 0.5}])
    with Server(Live(Question([tmp_path / "sweep"]))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_the_page_is_there_for_who_knows_its_address(server: Server) -> None:
    assert server.address == f"http://127.0.0.1:{server.server_port}/{server.token}/"
    answer, content = ask(server, f"/{server.token}/")
    assert answer.status == 200
    assert content.startswith(b"<!doctype html>")
    assert b"connect-src &#39;self&#39;" in content or b"connect-src 'self'" in content
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_changes_are_told_since_a_version(server: Server) -> None:
    everything = json.loads(ask(server, f"/{server.token}/changes?since=0")[1])
    nothing = json.loads(ask(server, f"/{server.token}/changes?since={everything['version']}")[1])
    assert set(everything["parts"]) == set(everything["order"])
    assert nothing["parts"] == {}


@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "/TOKEN", "/TOKEN/..", "/TOKEN/../", "/TOKEN//", "/TOKEN/x", "/TOKEN/changes/", "/TOKENx/",
        "/TOKEN/../../etc/passwd", "/TOKEN/%2e%2e/%2e%2e/etc/passwd", "/TOKEN/sweep/config.yaml", "/favicon.ico",
        "/TOKEN/changes?since=-1",
        "/TOKEN/changes?since=x", "/TOKEN/changes?since=٣", "/TOKEN/changes?since=99999999999",
        "/wrong/", "/wrong/changes?since=0", "http://[",
    ],
)  # fmt: skip
def test_nothing_else_is_there(server: Server, path: str) -> None:
    spelled = path.replace("TOKEN", server.token).encode().decode("latin-1")
    connection = socket.create_connection(("127.0.0.1", server.server_port), timeout=5)
    lines = f"GET {spelled} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nConnection: close\r\n\r\n"
    connection.sendall(lines.encode("latin-1"))
    said = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.close()
    assert said.split()[1] == b"404", said
    assert said.endswith(b"nothing is here\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "[::1]:80"])
def test_another_name_that_leads_here_is_refused(server: Server, host: str) -> None:
    answer, content = ask(server, f"/{server.token}/", Host=host)
    assert answer.status == 403
    assert b"html" not in content


def test_localhost_is_this_machine_too(server: Server) -> None:
    assert ask(server, f"/{server.token}/", Host=f"localhost:{server.server_port}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_get_and_head_are_answered(server: Server, method: str) -> None:
    answer, _ = ask(server, f"/{server.token}/", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_tells_the_same_without_the_page(server: Server) -> None:
    answer, content = ask(server, f"/{server.token}/", "HEAD")
    assert (answer.status, content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000


def test_it_listens_on_loopback_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_tokens_are_drawn_anew_and_long(server: Server, tmp_path: Path) -> None:
    with Server(server.live) as other:
        assert other.token != server.token
        assert len(other.token) >= 32


def test_a_page_that_cannot_be_made_is_said(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(since: int) -> None:
        raise ZeroDivisionError(since)

    monkeypatch.setattr(server.live, "changes", broken)
    answer, content = ask(server, f"/{server.token}/changes?since=3")
    assert (answer.status, content) == (500, b"the page could not be made\n")
    said = ""
    while "ZeroDivisionError(3)" not in said:
        said += capfd.readouterr().err
    assert ask(server, f"/{server.token}/")[0].status == 200


def test_no_more_connections_are_answered_at_a_time_than_a_browser_needs(server: Server) -> None:
    held = [socket.create_connection(("127.0.0.1", server.server_port), 5) for _ in range(MOST)]
    for one in held:
        one.sendall(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.server_port)
        assert one.recv(20).startswith(b"HTTP/1.1 404")  # its thread is at work, and keeps the connection
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", server.server_port), 5) as more:
        assert more.recv(100).startswith(b"HTTP/1.1 503 ")
    assert threading.active_count() <= before
    for one in held:
        one.close()
    for _ in range(500):
        with suppress(ConnectionError, RemoteDisconnected):
            if ask(server, f"/{server.token}/")[0].status == 200:
                return
        time.sleep(0.01)
    raise AssertionError("those who went away still count")
