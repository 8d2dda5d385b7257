"""The pictures of a report: what is in them, and that no name breaks them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrsched.picture import size
from lrsched.report import compare_paths
from lrsched.report.pictures import courses, race, rates
from lrsched.report.pictures.draw import pictures
from lrsched.report.pictures.style import COLOURS, MOST, logarithmic, look, words
from lrsched.report.time_to_target import times

pytest.importorskip("matplotlib", reason="no matplotlib: the pictures need the extra `plot`")

Figures = dict[str, Any]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Figures:
    """The figures that were drawn last, by module."""
    drawn: Figures = {}

    def catch(name: str, as_png: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        def caught(figure: Any) -> bytes:
            drawn[name] = figure
            return as_png(figure)

        return caught

    for module in (courses, race, rates):
        monkeypatch.setattr(module, "as_png", catch(module.__name__.rpartition(".")[2], module.as_png))
    return drawn


def course(final: float, rate: float) -> list[dict[str, float]]:
    """Rows of a run of 40 steps: a rate that falls in a line, two losses."""
    rows: list[dict[str, float]] = []
    for step in range(0, 40, 10):
        rows.append({"step": step, "train/loss": 100.0 / (step + 1), "lr/default": rate * (1 - step / 40)})
    return [*rows, {"step": 20, "val/loss": 1.0}, {"step": 40, "val/loss": final}]


@pytest.fixture
def sweep(leave, tmp_path: Path) -> Path:
    for schedule, worse in (("Cosine", 0.0), ("Step", 0.25)):
        for lr in (0.125, 0.5):
            for seed in range(2):
                final = 0.25 + worse + lr / 8 + seed / 16
                leave(schedule, lr, seed, final, rows=course(final, lr))
    leave("Step", 2.0, 0, status="failed", reason="NotFinite: step 3", metrics={})
    return tmp_path


def test_the_rate_is_above_the_losses_with_a_band_of_the_seeds(sweep: Path, figures: Figures) -> None:
    pictures(compare_paths([sweep]), "x")
    above, train, chosen = figures["courses"].axes
    assert [panel.get_ylabel() for panel in (above, train, chosen)] == ["learning rate", "train/loss", "val/loss"]
    assert chosen.get_xlabel() == "step"
    assert "each at its best rate" in above.get_title()
    assert above.get_lines()[0].get_xydata().tolist() == [[s, 0.125 * (1 - s / 40)] for s in (0, 10, 20, 30)]
    assert chosen.get_lines()[0].get_xydata().tolist() == [[20, 1.0], [40, 0.25 + 1 / 64 + 1 / 32]]
    (path,) = chosen.collections[0].get_paths()
    assert sorted({tuple(point) for point in path.vertices.tolist()}) == [
        (20, 1.0),
        (40, 0.25 + 1 / 64),
        (40, 0.25 + 1 / 64 + 1 / 16),
    ]
    assert [panel.get_yscale() for panel in (above, train, chosen)] == ["linear", "log", "linear"]


@pytest.mark.slow
def test_a_legend_stands_outside_the_panels_and_names_each(sweep: Path, figures: Figures) -> None:
    pictures(compare_paths([sweep]), "x")
    for name in ("courses", "rates"):
        (legend,) = figures[name].legends
        box = legend.get_window_extent()
        assert not any(panel.get_legend() for panel in figures[name].axes)
        assert all(box.y1 <= panel.get_window_extent().y0 for panel in figures[name].axes)
        assert [text.get_text().split(",")[0] for text in legend.get_texts()] == ["cosine", "step"]


def test_colours_come_with_dashes_and_markers_of_their_own() -> None:
    looks = [look(number) for number in range(MOST)]
    assert len({(str(item["color"]), str(item["linestyle"])) for item in looks}) == MOST
    first = looks[: len(COLOURS)]
    assert len({item["color"] for item in first}) == len({item["marker"] for item in first}) == len(COLOURS)
    assert len({str(item["linestyle"]) for item in looks[:5]}) == 5


@pytest.mark.slow
def test_a_star_is_at_the_best_rate_and_a_cross_where_a_run_diverged(sweep: Path, figures: Figures) -> None:
    pictures(compare_paths([sweep]), "x")
    (panel,) = figures["rates"].axes
    assert panel.get_xscale() == "log"
    stars = [line.get_xdata()[0] for line in panel.get_lines() if line.get_marker() == "*"]
    assert stars == pytest.approx([0.125, 0.125], rel=0.02)  # a little apart
    assert len(set(stars)) == 2
    assert [list(line.get_xdata()) for line in panel.get_lines() if line.get_marker() == "x"] == [[2.0]]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0.125", "0.5", "2"]


@pytest.mark.slow
def test_the_race_shows_each_seed_the_median_and_who_never_arrives(sweep: Path, figures: Figures) -> None:
    found = compare_paths([sweep], target=0.3)  # cosine's seed 0 gets there at .125 and 0.5, its seed 1 at neither
    assert times(found.comparisons[0].candidates[0], found.metric, 0.3) == {0: 40, 1: math.inf}
    pictures(found, "x")
    (panel,) = figures["race"].axes
    assert panel.get_title().endswith("steps until val/loss is at most 0.3000")
    assert [text.get_text() for text in panel.texts] == ["1 of 2 never", "never"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["cosine", "step"]
    assert not [line for line in panel.get_lines() if line.get_marker() == "|"]  # half never arrive: no median
    pictures(compare_paths([sweep]), "x")  # of its own: what every candidate reaches
    assert [line.get_xdata()[0] for line in figures["race"].axes[0].get_lines() if line.get_marker() == "|"] == [40, 40]


@pytest.mark.slow
def test_a_metric_of_the_test_part_has_no_race(leave, tmp_path: Path) -> None:
    for schedule in ("Cosine", "Step"):
        leave(schedule, 0.1, 0, metrics={"val/loss": 0.5, "test/loss": 0.5})
    assert list(pictures(compare_paths([tmp_path], "test/loss"), "x")) == ["curves.png", "rates.png"]


NAMES = [
    "$x^{",
    "_hidden",
    "a$b$c",
    r"\frac{1}",
    "a\nb\x1b[31m",
    "%s {} %",
    "<i>&amp;",
    "=1+1",
    "x" * 120,
    "名前 ñ é 😀",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.filterwarnings("ignore:Glyph")
def test_no_name_breaks_a_picture_or_means_more_than_itself(leave, tmp_path: Path, figures: Figures, name: str) -> None:
    for label in (name, "other"):
        leave("Cosine", 0.1, 0, 0.5, rows=course(0.5, 0.1), trainer__label=label)
    drawn = pictures(compare_paths([tmp_path]), "x")
    assert all(max(size(content)) < 3000 for content in drawn.values())
    assert len(figures["rates"].legends[0].get_texts()) == 2
    assert not any(text.get_text().startswith("_") for text in figures["rates"].legends[0].get_texts())


@pytest.mark.slow
def test_many_candidates_keep_their_legend_short(leave, tmp_path: Path, figures: Figures) -> None:
    for number in range(25):
        leave("Cosine", 0.1, 0, 0.5 + number, rows=course(0.5 + number, 0.1), trainer__label=number)
    pictures(compare_paths([tmp_path]), "x")
    texts = [text.get_text() for text in figures["courses"].legends[0].get_texts()]
    assert len(texts) == MOST + 1
    assert texts[-1] == "15 more"


@pytest.mark.slow
def test_runs_without_rows_are_a_picture_all_the_same(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status="failed", reason="OSError: no", metrics={})
    leave("Step", "${model.lr}", 0, 0.5)
    (leave("Step", 0.1, 1, 0.5) / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n{")
    assert list(pictures(compare_paths([tmp_path]), "x")) == ["curves.png", "rates.png", "target.png"]


@pytest.mark.parametrize(
    ("values", "wanted"), [([1, 11], True), ([1, 9], False), ([0, 100], False), ([-1, 100], False), ([], False)]
)
def test_an_axis_is_logarithmic_where_it_helps(values: list[float], wanted: bool) -> None:
    assert logarithmic(values) is wanted


@pytest.mark.slow
def test_equal_reports_give_equal_bytes(sweep: Path) -> None:
    assert pictures(compare_paths([sweep]), "x") == pictures(compare_paths([sweep]), "x")


def test_words_wrap() -> None:
    assert max(map(len, words("word " * 60).split("\n"))) <= 90
