"""Runs with and without an average of the weights, compared on the weights that each of them uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrsched.report.report import compare_paths
from tests.helpers.cli import TINY

WORDS = (*TINY, "model=linear", "logger=none", "scheduler=constant", "trainer.evaluate_every=1ep", "name=sweep")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs: three averages at two seeds each."""
    import lrsched

    place = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for average in ("none", "ema", "swa"):
            for seed in (0, 1):
                words = (*WORDS[:-1], f"average={average}", f"seed={seed}", f"name={average}-{seed}")
                lrsched.run(words)
    return place / "outputs"


def final(swept: Path, name: str) -> dict[str, float]:
    return json.loads((swept / name / "result.json").read_text("utf-8"))["metrics"]


def test_each_is_compared_on_its_average_or_else_on_its_weights(swept: Path) -> None:
    report = compare_paths([swept])
    assert report.metric.name == report.metric.chosen_by == "val/used/loss"
    assert report.metric.mode == "min"
    (comparison,) = report.comparisons
    found = {row.name: dict(row.values) for row in comparison.candidates}
    assert len(found) == 3
    for average in ("ema", "swa"):
        values = next(values for name, values in found.items() if average in name)
        assert values == {seed: final(swept, f"{average}-{seed}")["val/average/loss"] for seed in (0, 1)}
    plain = next(values for name, values in found.items() if "ema" not in name and "swa" not in name)
    assert plain == {seed: final(swept, f"none-{seed}")["val/loss"] for seed in (0, 1)}
    assert [min(row.values.values()) for row in comparison.candidates] != []


def test_the_label_says_what_was_compared_and_both_are_shown(swept: Path, run_cli) -> None:
    ended = run_cli(str(swept), "--json", "f.json", command="report")
    assert ended.code == 0, ended.err
    said = " ".join(ended.out.split())
    assert "note: val/used/loss is val/average/loss of " in said
    assert "--metric val/loss compares the weights as they are trained" in said
    written = json.loads((ended.cwd / "f.json").read_text("utf-8"))
    assert written["metric"] == "val/used/loss"
    text = (ended.cwd / "f.json").read_text("utf-8")
    assert all(name in text for name in ("val/average/loss", "val/loss", "test/used/accuracy"))


@pytest.mark.parametrize("metric", ["val/loss", "test/used/accuracy", "val/average/loss"])
def test_another_metric_may_be_asked_for(swept: Path, metric: str) -> None:
    report = compare_paths([swept], metric)
    assert report.metric.name == metric
    assert report.metric.chosen_by == metric.replace("test/", "val/")
    assert report.metric.mode == ("max" if "accuracy" in metric else "min")
    (comparison,) = report.comparisons
    if metric == "val/loss":  # the weights that are trained are the same
        assert len({tuple(row.values.values()) for row in comparison.candidates}) == 1


def test_a_target_is_reached_by_the_weights_that_are_used(swept: Path) -> None:
    target = max(final(swept, f"swa-{seed}")["val/average/loss"] for seed in (0, 1))
    (race,) = compare_paths([swept], target=target).races
    assert race.steps["constant average=swa"] == 12  # taken first after 9 updates, and evaluated at the end


def test_runs_of_one_average_are_compared_as_ever(swept: Path) -> None:
    assert compare_paths([swept / "ema-0", swept / "ema-1"]).metric.name == "val/loss"
    assert "val/used/loss" not in compare_paths([swept / "ema-0"]).runs[0].metrics
