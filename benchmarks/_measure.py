"""What every benchmark here shares: interleaved runs, medians with their spread, and the machine they were taken on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch


def interleaved(
    candidates: Mapping[str, Callable[[], Callable[[], object]]],
    rounds: int,
    warmups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each candidate, one after the other in every round, so that a busy machine is busy for all.

    A candidate is called outside the clock and returns what is timed. On a machine that others use too, take
    ``time.process_time``, the processor's seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(-warmups, rounds):
        for name, candidate in candidates.items():
            timed = candidate()
            start = clock()
            timed()
            if number >= 0:
                seconds[name].append(clock() - start)
    return seconds


def table(seconds: Mapping[str, Sequence[float]], base: str, unit: float = 1.0, digits: int = 3) -> str:
    """A Markdown table: median, quartiles, and the median of the ratios to ``base``, round by round."""
    lines = ["| | median | quartiles | ratio | quartiles | n |", "|---|---|---|---|---|---|"]
    for name, values in seconds.items():
        ratios = [value / reference for value, reference in zip(values, seconds[base], strict=True)]
        (low, middle, high), (r_low, r_middle, r_high) = _quartiles(values), _quartiles(ratios)
        lines.append(
            f"| {name} | {middle * unit:.{digits}f} | {low * unit:.{digits}f}–{high * unit:.{digits}f} "
            f"| **{r_middle:.3f}** | {r_low:.3f}–{r_high:.3f} | {len(values)} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """The hardware and versions that a number belongs to."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} cores ({torch.backends.cpu.get_cpu_capability()}), "
        f"{torch.get_num_threads()} torch thread(s), torch {torch.__version__}, Python {platform.python_version()}"
    )


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
