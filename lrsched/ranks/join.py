"""Bring the processes of a run together, and part them again."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as d

from lrsched.errors import ConfigError, UserError
from lrsched.ranks.line import SILENCE, Line, Peer
from lrsched.ranks.place import KEY, Place, on_device
from lrsched.ranks.wire import connected, goes_on, heard, listener, machine, written
from lrsched.ranks.world import ALONE, RankLost, World

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

LINE, OVER, LEFT = "lrsched/line", "lrsched/over", "lrsched/left"
"""Keys of torch's store: where rank 0 listens; that it has ended without a run; how many have read that."""

MEETING = timedelta(minutes=10)
"""How long the processes wait for one another at the beginning."""

COMING = 60.0
"""Seconds that rank 0 waits for the others to learn that there is no run."""

LONG = timedelta(days=30)
"""Torch's own limit for a process that waits for another one: the guard says who is gone."""

NCCL = {"NCCL_ALGO": "Ring", "NCCL_PROTO": "Simple"}
"""How GPUs exchange what they have: by no other way for longer messages."""

GLOO = "GLOO_SOCKET_IFNAME"
"""The variable by which gloo chooses where to listen."""


class NoRun(Exception):
    """Rank 0 has ended, and there is no run to take part in."""


@contextmanager
def joined(place: Place, device: str | None, look: Callable[[], None] = lambda: None) -> Generator[World]:
    """The processes of a run, from here to the end of the context.

    Args:
        place: of this process.
        device: of the config, as rank 0 knows it; None: this is another rank.
        look: called while it waits for the others; may raise.

    Raises:
        ConfigError: the processes cannot have such devices.
        RankLost: another process has ended before it was there.
        NoRun: rank 0 has, and there is no run.
    """
    if place.size == 1:
        yield ALONE
        return
    if not d.is_available():
        raise ConfigError(KEY, place.size, "this torch was built without torch.distributed", f"give {KEY}=1")
    if device is not None:
        on_device(place, device, torch.cuda.device_count())
    with ExitStack() as ends:
        store, address = _store(place, look)
        line = _lead(place, store, address, look) if place.rank == 0 else _follow(place, store, look)
        ends.callback(line.close)
        try:
            with _over_loopback(address):
                from torch._C._distributed_c10d import PrefixStore  # a torch that was built without it has none

                at = {"store": PrefixStore("lrsched", store), "rank": place.rank, "world_size": place.size}
                d.init_process_group("gloo", timeout=LONG, **at)
            ends.callback(_part)
            yield _with_device(World(rank=place.rank, size=place.size, host=d.group.WORLD, guard=line), place, device)
        except RankLost as error:
            ends.pop_all()
            line.close(after=str(error))
            _part(abort=True)
            raise


def _with_device(world: World, place: Place, device: str | None) -> World:
    """The same processes, with a group for what lies on their devices."""
    assert isinstance(world.guard, Line)
    name = on_device(place, world.tell(lambda: str(device)), torch.cuda.device_count())
    chosen = torch.device("cpu" if name == "auto" else name)
    if chosen.type != "cuda":
        return replace(world, group=world.host, device=chosen)
    for name, value in NCCL.items():
        os.environ.setdefault(name, value)
    torch.cuda.set_device(chosen)
    group: Any = d.new_group(backend="nccl", timeout=LONG)
    world.guard.hangs = True
    world.guard.at_loss = group.abort  # whoever waits on the GPU goes on
    return replace(world, group=group, device=chosen)


@contextmanager
def meeting_point(place: Place) -> Generator[None]:
    """As rank 0 of an environment: whoever comes learns within this context that there is a run, or at its end that
    there is none.

    Raises:
        UserError: the processes cannot meet.
    """
    store, _ = _store(place, lambda: None)
    try:
        yield
    finally:
        with suppress(d.DistError):
            if not store.check([LINE]):
                store.set(OVER, "1")
                until = time.monotonic() + COMING
                while store.add(LEFT, 0) < place.size - 1 and time.monotonic() < until:
                    time.sleep(0.05)


def _store(place: Place, look: Callable[[], None]) -> tuple[Store, str]:
    """Torch's store that all processes of a run see, and the address where it lies."""
    from torch._C._distributed_c10d import TCPStore
    from torch.distributed.rendezvous import rendezvous

    children = place.children
    if children is not None:
        address = "127.0.0.1"
        store = TCPStore(address, 0, is_master=True, wait_for_workers=False, timeout=MEETING)
        children.tell({"MASTER_ADDR": address, "MASTER_PORT": str(store.port)})
        return store, address
    address = os.environ["MASTER_ADDR"]
    try:
        store, _, _ = next(iter(rendezvous("env://", rank=place.rank, world_size=place.size, timeout=MEETING)))
    except d.DistError as error:
        look()
        reason = str(error).splitlines()[0]
        raise UserError(f"MASTER_ADDR={address}: the processes of the run do not meet there: {reason}") from error
    return store, address


def _lead(place: Place, store: Store, address: str, look: Callable[[], None]) -> Line:
    """Rank 0: wait for a connection to each of the others."""
    token, peers = secrets.token_hex(16), dict[int, Peer]()
    until = time.monotonic() + MEETING.total_seconds()
    still: dict[int, float] = {}
    with listener(address) as found:
        port = found.getsockname()[1]
        store.set(LINE, json.dumps({"address": [address, port], "token": token}))
        found.settimeout(0.2)
        while len(peers) < place.size - 1:
            look()
            missing = [rank for rank in range(1, place.size) if rank not in peers]
            _require_there(place, missing, still)
            if time.monotonic() > until:
                raise RankLost(f"rank {missing[0]} has not come within {MEETING.total_seconds():.0f} s")
            with suppress(TimeoutError):
                sock, _ = found.accept()
                said = heard(sock, token)
                if said is None or said["rank"] not in missing:
                    sock.close()
                    continue
                sock.sendall(written({"token": token, "rank": 0, "pid": os.getpid(), "machine": machine()}))
                peers[said["rank"]] = _peer(sock, said)
    children = place.children

    def how(rank: int) -> tuple[str, str] | None:
        ended = None if children is None else children.how(rank, 1.0)
        return None if children is None or ended is None else (ended, children.printed(rank))

    return Line([peers[rank] for rank in sorted(peers)], how=how)


def _require_there(place: Place, ranks: list[int], still: dict[int, float]) -> None:
    """Refuse to wait for a process that has ended, or has been stopped for too long; ``still`` says since when."""
    children = place.children
    if children is None:
        return
    for rank in ranks:
        how = children.how(rank)
        if how is not None:
            printed = children.printed(rank).splitlines()
            raise RankLost(f"rank {rank} {how} before the run began" + (f": {printed[-1]}" if printed else ""))
        since = still.setdefault(rank, time.monotonic())
        if goes_on(children.pid(rank)):
            del still[rank]
        elif time.monotonic() - since > SILENCE:
            raise RankLost(f"rank {rank} has been stopped for {SILENCE:.0f} s before the run began")


def _follow(place: Place, store: Store, look: Callable[[], None]) -> Line:
    """Another rank: wait for rank 0 to say where it listens, and connect."""
    try:
        while not store.check([LINE]):
            look()
            if store.check([OVER]):
                store.add(LEFT, 1)
                raise NoRun
            time.sleep(0.05)
        found = json.loads(store.get(LINE))
    except d.DistError as error:  # the store was in rank 0
        raise NoRun from error
    host, port = found["address"]
    sock, said = connected((str(host), int(port)), str(found["token"]), place.rank)
    return Line([_peer(sock, said)], hangs=True)


def _peer(sock: socket.socket, said: Mapping[str, Any]) -> Peer:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(int(said["rank"]), sock, int(said["pid"]), str(said["machine"]))


@contextmanager
def _over_loopback(address: str) -> Generator[None]:
    """Within it gloo listens where only this machine can speak to it, if all processes are here."""
    found = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if not _is_loopback(address) or not found or GLOO in os.environ:
        yield
        return
    os.environ[GLOO] = found[0]
    try:
        yield
    finally:
        del os.environ[GLOO]


def _is_loopback(address: str) -> bool:
    with suppress(ValueError):
        return ip_address(address).is_loopback
    return address == "localhost"


def _part(*, abort: bool = False) -> None:
    """Leave torch's groups.

    Args:
        abort: what waits for a lost process would wait for ever.
    """
    with suppress(Exception):
        if abort and d.group.WORLD is not None:
            d.group.WORLD.abort()
        d.destroy_process_group()
