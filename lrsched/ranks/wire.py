"""What goes over the line between two processes of a run: a line of JSON for each message, an empty one for a beat."""

from __future__ import annotations

import hmac
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsched.errors import UserError

LONGEST = 1 << 20
"""Bytes of a message, at most; longer ones are not ours."""

HELLO = 5.0
"""Seconds in which who connects has to say who it is."""


def listener(address: str) -> socket.socket:
    """Listen for the other processes.

    Args:
        address: of this machine, as the others know it; a loopback address is not left.

    Raises:
        UserError: it cannot be listened at.
    """
    try:
        family, *_, where = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
        with suppress(OSError):  # the name may be that of a router
            return socket.create_server((where[0], 0), family=family)
        return socket.create_server(("", 0))
    except OSError as error:
        raise UserError(f"the processes of the run cannot meet at {address}: {error.strerror}") from error


def hello(token: str, rank: int) -> bytes:
    """What a process says first."""
    return written({"token": token, "rank": rank, "pid": os.getpid(), "machine": machine()})


def heard(sock: socket.socket, token: str) -> dict[str, Any] | None:
    """What the process behind a connection says first; None: it is none of ours."""
    found = b""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        sock.settimeout(HELLO)
        while not found.endswith(b"\n") and len(found) < 1024:
            more = sock.recv(1024 - len(found))
            if not more:
                return None
            found += more
        said = json.loads(found)
        if hmac.compare_digest(str(said["token"]), token):
            return {**said, "rank": int(said["rank"]), "pid": int(said["pid"])}
    return None


def connected(address: tuple[str, int], token: str, rank: int) -> tuple[socket.socket, dict[str, Any]]:
    """A connection to rank 0, and what it says.

    Raises:
        OSError: there is none.
    """
    sock = socket.create_connection(address, timeout=30.0)
    sock.sendall(hello(token, rank))
    found = heard(sock, token)
    if found is None:
        sock.close()
        raise ConnectionError("rank 0 is not where it said it would be")
    return sock, found


def written(message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    return f"{json.dumps(message)}\n".encode()


def machine() -> str:
    """A name for the machine and its numbering of processes; empty where the system tells none."""
    with suppress(OSError):
        booted = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{booted} {os.readlink('/proc/self/ns/pid')}"
    return ""


def goes_on(pid: int) -> bool:
    """Whether a process of this machine is there and not stopped, as far as the system tells."""
    with suppress(OSError, IndexError):
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        return state not in "TtZX"
    return False
