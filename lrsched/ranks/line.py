"""The line between the processes of a run, by which each knows within seconds that another one is gone."""

from __future__ import annotations

import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lrsched.ranks.wire import LONGEST, goes_on, machine, written
from lrsched.ranks.world import RankLost

BEAT = 1.0
"""Seconds between two beats."""

SILENCE = 8.0
"""Seconds without a beat after which a process counts as lost."""

GONE = "has ended without a goodbye: it was killed, or its machine is gone"
"""What the end of a connection shows, where nothing more is known."""

BUSY = 120.0
"""The same where the system says that the process goes on: code that is not Python's may keep it from saying so."""

END = 9.5
"""Seconds after the last beat of a lost process at which one ends that has not looked, where it may hang for ever."""

WRAP_UP = 60.0
"""Seconds that it has for its result once it has looked."""

TICK = 0.2
"""Seconds between two looks."""

AWAKE = 1.0
"""Seconds that one look counts for at most: while this process itself sleeps, others are not silent."""


How = Callable[[int], tuple[str, str] | None]
"""How the process of a rank ended, and what it printed last."""


@dataclass(eq=False)
class Peer:
    """A process at the other end.

    Args:
        rank: of it.
        sock: connected to it.
        pid: of the process.
        machine: where it runs.
        silent: seconds since it was last heard.
        left: it has said goodbye, or is lost.
        said: the beginning of a message.
    """

    rank: int
    sock: socket.socket
    pid: int = 0
    machine: str = ""
    silent: float = 0.0
    left: bool = False
    said: bytes = b""


class Line:
    """Knows whether the other processes are there: a thread that listens and beats.

    A star: rank 0 holds a connection to every other one, and passes on what it learns. An end of a connection without a
    goodbye is a killed process, a silence is a stopped one.

    Args:
        peers: at the other ends.
        how: says how the process of a rank ended, where this process has started it, and what it printed last; waits
            shortly.
        hangs: whether this process may hang where it cannot look: then it is ended.
    """

    def __init__(
        self,
        peers: list[Peer],
        *,
        how: Callable[[int], tuple[str, str] | None] = lambda rank: None,
        hangs: bool = False,
    ) -> None:
        self.last_words: Callable[[str], None] = lambda said: None
        """Called before this process is ended."""
        self.at_loss: Callable[[], None] = lambda: None
        """Called once when a process is lost: frees whoever waits for it."""
        self.hangs = hangs
        self._peers, self._how = peers, how
        self._loss: tuple[str, int, str] | None = None
        self._after = ""
        self._known, self._over = threading.Event(), threading.Event()
        self._left = END
        self._sending, self._setting = threading.Lock(), threading.Lock()
        for peer in peers:
            peer.sock.setblocking(False)
        self._thread = threading.Thread(target=self._watch, name="line between processes", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Look whether all are there.

        Raises:
            RankLost: one is not.
        """
        if self._known.is_set():
            raise self._error()

    def lost(self, error: Exception) -> RankLost:
        """What became of the process whose end a broken connection has shown."""
        until = time.monotonic() + SILENCE / 3
        while not self._known.wait(TICK):
            if self._after or time.monotonic() > until:
                break
        if self._known.is_set():
            return self._error()
        return RankLost(f"the processes of the run have lost one another{self._after and f': {self._after}'}")

    def say(self, message: Mapping[str, Any]) -> None:
        """Tell the processes at the other ends."""
        for peer in self._peers:
            self._send(peer, written(dict(message)))

    def close(self, **last: Any) -> None:
        """Say goodbye, and stop to listen.

        Args:
            last: what to say; nothing: that all is well.
        """
        self.say(last or {"bye": True})
        self._over.set()
        self._thread.join(5.0)
        for peer in self._peers:
            peer.sock.close()

    def _error(self) -> RankLost:
        assert self._loss is not None
        self._left = WRAP_UP
        error = RankLost(self._loss[0])
        error.exit_code, error.trace = self._loss[1:]
        return error

    def _watch(self) -> None:
        before, since = time.monotonic(), BEAT
        with selectors.DefaultSelector() as selector:
            for peer in self._peers:
                selector.register(peer.sock, selectors.EVENT_READ, peer)
            while not self._over.is_set():
                now = time.monotonic()
                passed, before = min(now - before, AWAKE), now
                since += passed
                if since >= BEAT:
                    since = 0.0
                    for peer in self._peers:
                        self._send(peer, b"\n")
                for peer in self._peers:
                    peer.silent += passed
                for found, _ in selector.select(TICK):
                    if not self._hear(found.data):
                        selector.unregister(found.fileobj)
                for peer in self._peers:
                    if peer.silent > SILENCE and not peer.left and not self._is_busy(peer):
                        self._lose(peer, f"has not been heard for {SILENCE:.0f} s: it is stopped, or cut off")
                self._end_if_hung(passed)

    def _is_busy(self, peer: Peer) -> bool:
        here = machine()
        return bool(here) and peer.machine == here and peer.silent < BUSY and goes_on(peer.pid)

    def _hear(self, peer: Peer) -> bool:
        """Hear a process; False: it has nothing more to say."""
        try:
            found = peer.sock.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            found = b""
        peer.silent = 0.0
        *messages, peer.said = (peer.said + found).split(b"\n")
        for message in filter(None, messages):
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                self._take(peer, json.loads(message))
        if found and len(peer.said) < LONGEST:
            return True
        if not peer.left:
            self._lose(peer, *(self._how(peer.rank) or (GONE,)))
        return False

    def _take(self, peer: Peer, message: dict[str, Any]) -> None:
        if "error" in message:
            self._set(f"rank {peer.rank}: {message['error']}", int(message["code"]), peer, str(message["trace"]))
        elif "lost" in message:
            self._set(str(message["lost"]), int(message["code"]), peer)
        elif "after" in message:
            self._after = f"rank {peer.rank} says that {message['after']}"
        elif "bye" in message and peer.rank == 0:
            self._set("rank 0 has ended the run", 1, peer)
        peer.left = True

    def _lose(self, peer: Peer, how: str, printed: str = "") -> None:
        peer.left = True
        self._set(f"rank {peer.rank} {how}", 1, peer, printed)

    def _set(self, what: str, code: int, peer: Peer, trace: str = "") -> None:
        with self._setting:
            if self._loss is not None:  # that is why this one is gone too
                return
            self._loss = what, code, trace
        self._left = END - peer.silent
        for other in self._peers:
            if other is not peer:
                self._send(other, written({"lost": what, "code": code}))
        self._known.set()
        with suppress(Exception):
            self.at_loss()

    def _send(self, peer: Peer, message: bytes) -> None:
        until = time.monotonic() + BEAT * (len(message) > 1)
        with self._sending, suppress(OSError):  # who does not hear is found by its silence
            while message:
                try:
                    message = message[peer.sock.send(message) :]
                except BlockingIOError:
                    if time.monotonic() > until:
                        return
                    time.sleep(0.01)

    def _end_if_hung(self, passed: float) -> None:
        self._left -= passed * (self._loss is not None)
        if self._loss is None or self._left > 0 or not self.hangs:
            return
        try:
            self.last_words(self._loss[0])
        finally:
            os._exit(self._loss[1])
