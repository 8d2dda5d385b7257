"""Serve one page on loopback, to who has its address: a token in the path, no file, nothing but GET and HEAD."""

from __future__ import annotations

import json
import secrets
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lrsched.console import say
from lrsched.signals import stop_flag
from lrsched.watch.live import Live

HOST = "127.0.0.1"
PATIENCE = 10
"""Seconds that a connection may keep silent."""

MOST = 32
"""Connections at a time: a browser keeps a few; who opens more of them waits."""

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Server(ThreadingHTTPServer):
    """Answers on this machine alone.

    Args:
        live: what is shown.
        port: 0 for one of the system's choice.

    Raises:
        OSError: the port is taken, or not for everyone.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, live: Live, port: int = 0) -> None:
        self.live = live
        self.token, self.at_once = secrets.token_urlsafe(24), threading.BoundedSemaphore(MOST)
        super().__init__((HOST, port), Answer)
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def address(self) -> str:
        """What to open; whoever knows it may look."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def service_actions(self) -> None:
        """At rest, between two requests, and every time that none came: look whether to stop."""
        stop_flag().check()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or, where too many are at work, say so and close."""
        if self.at_once.acquire(blocking=False):
            return super().process_request(request, client_address)
        with suppress(OSError):
            request.sendall(BUSY)
        return self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer until the reader goes away or keeps silent."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.at_once.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong; a reader who goes away in the middle is no fault."""
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            say(f"warning: the page could not be made: {error!r}")


class Answer(BaseHTTPRequestHandler):
    """The page at ``/TOKEN/``, what changed in it at ``/TOKEN/changes?since=VERSION``; nothing else is there."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "lrsched"
    sys_version = ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer, or say that nothing is there; a wrong token is told no more than a wrong path."""
        if self.headers.get("Host") not in self.server.hosts:  # another name that leads here: DNS rebinding
            return self._send(HTTPStatus.FORBIDDEN, b"this is not the address that was printed\n")
        try:
            parts = urlsplit(self.path)
        except ValueError:  # as of http://[
            return self._send(HTTPStatus.NOT_FOUND, b"nothing is here\n")
        _, token, *rest = [*parts.path.split("/"), ""]
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return self._send(HTTPStatus.NOT_FOUND, b"nothing is here\n")
        since = parse_qs(parts.query).get("since", ["0"])[0]
        try:
            if rest == ["", ""]:
                return self._send(HTTPStatus.OK, self.server.live.text().encode(), "text/html; charset=utf-8")
            if rest == ["changes", ""] and since.isascii() and since.isdigit() and len(since) < 10:
                changes = json.dumps(self.server.live.changes(int(since))).encode()
                return self._send(HTTPStatus.OK, changes, "application/json")
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"the page could not be made\n")
            raise
        return self._send(HTTPStatus.NOT_FOUND, b"nothing is here\n")

    def _refuse(self) -> None:
        self.close_connection = True  # what else was sent is not read
        self._send(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD\n")

    do_HEAD = do_GET
    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def _send(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the token stands in every line."""
