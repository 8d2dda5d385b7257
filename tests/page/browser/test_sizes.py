"""The page of many runs stays small; how fast it is stands in benchmarks/README.md."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.page.browser.conftest import written

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "page.py"


@pytest.mark.parametrize(("runs", "most"), [(100, 1_500_000), (1000, 8_000_000)])
def test_a_page_of_curves_of_a_thousand_points_is_no_larger(tmp_path: Path, runs: int, most: int) -> None:
    spec = importlib.util.spec_from_file_location("benchmark_of_the_page", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.make_runs(tmp_path / "sweep", runs, 1000)
    size = written(tmp_path / "sweep", tmp_path / "report.html").stat().st_size
    assert most / 20 < size <= most
