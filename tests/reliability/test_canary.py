"""The same config on the same kind of machine gives the same weights, today and next year.

A golden hash for each fingerprint that the tests have been run on. A change of a known one is a change of what
this code computes: it breaks the resume of every run that is under way, and belongs in the changelog.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
import torch

from tests.helpers.cases import command
from tests.helpers.runs import folder, run

GOLDEN = {
    "2.14.1+cu130 AVX512 x86_64/AuthenticAMD": "64e0ea1fe9bb893321396ee14ca697a0401e883fdef88dd8c1efe76011583814",
}


def fingerprint() -> str:
    """What the bytes of a small run on one thread depend on: PyTorch, and the code that it chooses for the CPU."""
    vendor = platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        found = [line.split(":")[1].strip() for line in cpus.read_text().splitlines() if line.startswith("vendor_id")]
        vendor = "/".join([vendor, *found[:1]])
    return f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()} {vendor}"


def test_golden_weights(tmp_path: Path) -> None:
    ended = run(tmp_path, *command("cosine", accumulate=2))
    assert ended.code == 0, ended.said
    result = json.loads(folder(tmp_path).result.read_text("utf-8"))
    assert result["fingerprint"]["threads"] == 1
    known, found = GOLDEN.get(fingerprint()), result["weights_sha256"]
    if known is None:
        pytest.skip(f"no golden hash for this machine yet; add to GOLDEN: {fingerprint()!r}: {found!r}")
    assert found == known
