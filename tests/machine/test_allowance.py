"""The most threads that a process may have, in made-up trees of files and on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lrsched.machine.allowance import Allowance, allowance


def allowed(root: Path, chosen: int = 16, omp: str | None = None, processors: int | None = None) -> Allowance:
    environment = {} if omp is None else {"OMP_NUM_THREADS": omp}
    return allowance(chosen, environment=environment, processors=lambda: processors, root=root)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("omp", "number"),
    [("3", 3), ("4,2", 4), (" 5 ", 5), ("99", 16), ("0", 16), ("", 16), ("many", 16), ("-1", 16), ("2.5", 16)],
)
def test_omp_num_threads_counts_by_its_first_number(tmp_path, omp: str, number: int) -> None:
    found = allowed(tmp_path, omp=omp)
    assert found.number == number
    assert found.limit == (f"OMP_NUM_THREADS={number}" if number < 16 else "torch's own choice")


@pytest.mark.parametrize(("processors", "number"), [(1, 1), (3, 3), (64, 16), (None, 16)])
def test_an_affinity_counts(tmp_path, processors: int | None, number: int) -> None:
    found = allowed(tmp_path, processors=processors)
    assert found.number == number
    if number < 16:
        assert found.limit == f"an affinity to {number} processor{'s' * (number > 1)}"


@pytest.mark.parametrize(
    ("files", "number", "quota"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2, "2"),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 16, ""),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "350000 100000\n"}, 3, "3.5"),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 1, "0.5"),  # of the one above
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "600000 100000\n",
            },
            4,
            "4",
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
            },
            2,
            "2.5",
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/docker/0123\n0::/\n",  # a path of outside: nothing is there
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
            "3",
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            16,
            "",
        ),
        (
            {
                "proc/self/cgroup": "1:memory:/\n",  # no quota of processors is of this kind
                "sys/fs/cgroup/memory/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/memory/cpu.cfs_period_us": "100000\n",
            },
            16,
            "",
        ),
        ({"proc/self/cgroup": "nonsense\n0::/\n", "sys/fs/cgroup/cpu.max": "much\n"}, 16, ""),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"}, 16, ""),
        ({}, 16, ""),
    ],
)
def test_a_quota_counts_in_whole_processors(tmp_path, files: dict[str, str], number: int, quota: str) -> None:
    found = allowed(tree(tmp_path, files))
    assert found.number == number
    assert found.limit == (f"a control group's quota of {quota} processors" if quota else "torch's own choice")


def test_the_least_of_all_counts_and_of_equals_the_one_that_the_others_follow_from(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    root = tree(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"})
    assert allowed(root, omp="3", processors=5).number == 2
    assert allowed(root, omp="2", processors=2).limit == "OMP_NUM_THREADS=2"
    assert allowed(root, chosen=2, omp="2").limit == "OMP_NUM_THREADS=2"
    assert allowed(root, chosen=2).limit == "a control group's quota of 2 processors"
    assert allowed(tmp_path / "none", chosen=3, processors=3).limit == "an affinity to 3 processors"
    assert allowed(tmp_path / "none", chosen=4, processors=4).limit == "torch's own choice"
    assert allowed(root, chosen=1, omp="2").number == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system knows no affinity")
def test_this_process_asks_the_system() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert allowance(8, environment={}).number == 1
    finally:
        os.sched_setaffinity(0, before)
    assert allowance(10**6, environment={}).number <= len(before)
