"""Profile a short run by operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity


@contextmanager
def profiled(folder: Path) -> Iterator[None]:
    """Write ``profile.txt`` (a table) and ``profile.json`` (a trace for chrome://tracing) of the code inside."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        yield
    table = profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=30)
    (folder / "profile.txt").write_text(table, "utf-8")
    profiler.export_chrome_trace(str(folder / "profile.json"))
