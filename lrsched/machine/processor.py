"""Whose processor this is, and which of its instructions the libraries choose their kernels by."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

CHOSEN_BY = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "asimd", "sve", "bf16", "i8mm")
"""Instructions by which oneDNN and MKL choose a kernel, as Linux names them. MKL goes by the maker, too."""


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The maker, and the instructions that decide: equal programs come to equal bits where these are equal.

    PyTorch's own word for it (``AVX512``) is the same for Intel's and AMD's, whose sums differ in the last bit.

    Args:
        cpuinfo: what Linux tells of its processors; elsewhere Python's word for the processor is taken.
    """
    with suppress(OSError):
        with cpuinfo.open(encoding="utf-8", errors="replace") as file:
            begin = file.read(8192)  # the first processor; for all of them it may be a megabyte
        told = dict(_pair(line) for line in reversed(begin.splitlines()) if ":" in line)
        maker = told.get("vendor_id") or told.get("CPU implementer") or ""
        flags = (told.get("flags") or told.get("Features") or "").split()
        if maker:
            return " ".join([maker, *(name for name in CHOSEN_BY if name in flags)])
    return platform.processor()


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
