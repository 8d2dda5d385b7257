"""A server that is silent or hangs up half way: an error within seconds, and no partial file."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrsched.data import MNIST, download
from lrsched.errors import DataError

HALF = b"HTTP/1.0 200 OK\r\nContent-Length: 9912422\r\n\r\n\x1f\x8b half of a file"


class Server:
    """Answers every request with the same bytes, and hangs up; without an answer it is silent."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self._held = answer, list[socket.socket]()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._held.append(connection)
            if self.answer:
                connection.recv(4096)
                connection.sendall(self.answer)
                connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for connection in self._held:
            connection.close()


@pytest.fixture(params=[b"", HALF], ids=["silent", "half"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    from torchvision import datasets  # takes seconds

    server = Server(request.param)
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url])
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.close()


def test_a_download_that_fails_is_told_in_seconds_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    began, before = time.monotonic(), socket.getdefaulttimeout()
    with pytest.raises(DataError, match=r"^MNIST: not found, or not intact, in .*; the download failed: "):
        MNIST(root=str(tmp_path / "data")).load()
    assert time.monotonic() - began < 5
    assert socket.getdefaulttimeout() == before
    assert not (tmp_path / "data").exists()
