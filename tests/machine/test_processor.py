"""The processor, as the fingerprint says it: two makers are two, and an older fingerprint does not say it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lrsched.machine.processor import processor
from lrsched.train.environment import fingerprint, unequal

TOLD = {
    "intel": (
        "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx512f amx_tile avx512_vnni\n\nvendor_id: x\n",
        "GenuineIntel avx2 avx512f avx512_vnni amx_tile",
    ),
    "amd": ("vendor_id\t: AuthenticAMD\nflags\t: avx2 avx512f avx512_bf16\n", "AuthenticAMD avx2 avx512f avx512_bf16"),
    "arm": ("processor : 0\nFeatures : fp asimd sve\nCPU implementer : 0x41\n", "0x41 asimd sve"),
}


@pytest.mark.parametrize("kind", TOLD)
def test_what_linux_tells(kind: str, tmp_path: Path) -> None:
    text, expected = TOLD[kind]
    (tmp_path / "cpuinfo").write_text(text, "utf-8")
    assert processor(tmp_path / "cpuinfo") == expected


def test_another_processor_is_named_where_the_older_one_is_known() -> None:
    here = fingerprint(torch.device("cpu"), "fp32")
    assert unequal(here, {**here, "processor": "other"}) == {"processor": (here["processor"], "other")}
    assert unequal({name: value for name, value in here.items() if name != "processor"}, here) == {}
    assert unequal({**here, "lrsched": "0.1.0"}, here) == {}
    assert unequal({**here, "threads": 77}, here) == {"threads": (77, here["threads"])}
