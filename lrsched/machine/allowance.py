"""How many threads a process may have at most: by OMP_NUM_THREADS, its affinity and its control group."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MOUNT = "sys/fs/cgroup"
"""Where control groups are mounted, below the root."""


class Allowance(NamedTuple):
    """The most threads that a process may have.

    Args:
        number: at least 1.
        limit: what sets it, as a message names it.
    """

    number: int
    limit: str


def allowance(
    chosen: int,
    *,
    environment: Mapping[str, str] = os.environ,
    processors: Callable[[], int | None] | None = None,
    root: Path = Path("/"),
    beside: int = 1,
) -> Allowance:
    """The least of all limits: of equals, the first of these, as torch's own choice follows from those before it.

    Processes of one run share it, unless ``OMP_NUM_THREADS`` says what each may have.

    ::

        OMP_NUM_THREADS       its first number
        affinity              the processors that the process may run on, where they are not all
        quota                 processor seconds a second of its control groups (versions 1 and 2), whole, at least 1
        torch's choice        the number that torch has now
        affinity              to all processors

    Args:
        chosen: torch's choice.
        environment: variables of the process.
        processors: counts those of its affinity; None: asks the system.
        root: of the file system.
        beside: processes of the run on this machine, this one counted.

    >>> allowance(8, environment={"OMP_NUM_THREADS": "2"}, processors=lambda: 4, root=Path("/nowhere"))
    Allowance(number=2, limit='OMP_NUM_THREADS=2')
    >>> allowance(8, environment={}, processors=lambda: 8, root=Path("/nowhere"), beside=2)
    Allowance(number=4, limit="torch's own choice, shared by 2 processes")
    """
    limits: list[Allowance] = []
    asked = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    says = asked.isdecimal() and int(asked) > 0
    if says:
        limits.append(Allowance(int(asked), f"OMP_NUM_THREADS={asked}"))
    many = (processors or _affinity)()
    affinity = [Allowance(many, f"an affinity to {many} processor{'s' * (many > 1)}")] if many else []
    binds = bool(many) and many < (os.cpu_count() or 1)
    limits += affinity if binds else []
    for quota in _quotas(root):
        limits.append(Allowance(max(1, int(quota)), f"a control group's quota of {quota:.3g} processors"))
    limits += [Allowance(max(1, chosen), "torch's own choice"), *affinity]
    least = min(limits, key=lambda limit: limit.number)
    if says or beside == 1:
        return least
    return Allowance(max(1, least.number // beside), f"{least.limit}, shared by {beside} processes")


def _affinity() -> int | None:
    """The processors that this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _quotas(root: Path) -> Iterator[float]:
    """The quotas of the control groups of this process, and of those above, in processors."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if kinds and "cpu" not in kinds.split(","):
            continue
        mounts = [kinds, "cpu", "cpu,cpuacct"] if kinds else ["", "unified"]
        for mount in dict.fromkeys(mounts):
            place = root / MOUNT / mount
            below = Path(path.lstrip("/"))  # in a container it may be the path outside, of which nothing is there
            for group in (below, *below.parents):
                yield from _quota(place / group)


def _quota(group: Path) -> Iterator[float]:
    """The quota of one control group: version 2 has it in one file, version 1 in two."""
    words = _text(group / "cpu.max").split() or [
        _text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    with suppress(ValueError, ZeroDivisionError):
        quota, period = map(int, words)
        if quota > 0:
            yield quota / period


def _text(file: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text("utf-8")
    return ""
