"""What a report writes: table, numbers, pictures, CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from lrsched.errors import ConfigError
from lrsched.report import compare_paths, render, sweep_csv, sweep_table, write_sweep_csv
from lrsched.report.json import numbers
from lrsched.report.pictures.draw import pictures
from lrsched.report.pictures.style import together
from lrsched.report.read import read_runs
from lrsched.report.time_to_target import scores

SIX = [0.50, 0.52, 0.48, 0.51, 0.47, 0.53]
PNG = b"\x89PNG\r\n\x1a\n"


def evaluations(*losses: float) -> list[dict[str, float]]:
    """Rows of a run with an evaluation every ten steps."""
    return [{"step": 10 * number, "val/loss": loss} for number, loss in enumerate(losses, start=1)]


@pytest.fixture
def sweep(leave, tmp_path: Path) -> Path:
    """Two schedules, two rates, six seeds, one of which failed and one of which diverged at the worse rate."""
    for schedule, worse in (("Cosine", 0.0), ("Step", 0.1)):
        for lr, loss in ((0.1, 0.0), (1.0, 0.3)):
            for seed, base in enumerate(SIX):
                value = base + worse + loss
                bad = {("Step", 1.0, 5): "NotFinite: val/loss is nan", ("Cosine", 1.0, 5): "OSError: No space left"}
                reason = bad.get((schedule, lr, seed), "")
                end = {"status": "failed", "reason": reason, "metrics": {}} if reason else {}
                rows = evaluations(1.0, (1.0 + value) / 2, value)
                measured = {"metrics": {"val/loss": value, "test/accuracy": 1 - value}} | end
                leave(schedule, lr, seed, rows=rows, **measured)
    return tmp_path / "sweep"


def test_the_table_says_all_of_it(sweep: Path) -> None:
    text = sweep_table(sweep)
    lines = text.splitlines()
    assert lines[0] == "24 runs: 22 finished, 1 failed, 1 diverged"
    (best,) = [line.split() for line in lines if line.startswith("* ")]
    around = np.std(SIX, ddof=1)
    mean = math.fsum(SIX) / 6
    assert best == [
        "*",
        "cosine",
        "0.1",
        f"{mean:.4f}",
        "±",
        f"{around:.4f}",
        "0–5",
        f"{100 - 100 * mean:.2f}",
        "±",
        f"{around:.2%}",
    ]
    assert "cosine is better than step by 0.1000, 0.1000 to 0.1000 (97 %, 6 seeds, p .031)" in text
    assert "note: incomplete: there is no val/loss of cosine at 1.0 (seed 5); such a rate is not eligible" in text
    assert "note: step diverged at 1.0 with 1 of 6 seeds" in text
    assert "2 of 24 runs did not finish:" in text
    assert "OSError: No space left" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_the_table_keeps_to_the_terminal(sweep: Path, width: int) -> None:
    assert max(map(len, sweep_table(sweep, width).splitlines())) <= width


def test_at_80_columns_what_matters_least_goes_and_nothing_is_broken(sweep: Path) -> None:
    wide, narrow = sweep_table(sweep), sweep_table(sweep, 80)
    title, _, best, other, _, beside, _, accuracy, _ = narrow.splitlines()[3:12]
    assert all(word in title for word in ("schedule", "val/loss ± sd", "seeds", "worse by (95 %)", " p"))
    assert "test/accuracy" in wide.splitlines()[3]
    assert "test/accuracy" not in title  # it has a table of its own
    assert beside.split() == ["schedule", "test/accuracy", "±", "sd"]
    assert accuracy.split() == ["cosine", "49.83", "±", "2.32%"]
    assert ("P(win)" in wide, "P(win)" in narrow) == (True, "P(win)" in title)
    assert "0.5017 ± 0.0232" in best
    assert "0.1000 (0.1000 to 0.1000, 97 %)" in other


@pytest.mark.parametrize("width", [80, 100])
def test_the_words_of_long_names_stay_whole(leave, tmp_path: Path, width: int) -> None:
    for smoothing in (0.0, 0.125):
        for seed in range(6):
            for lr in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
                change = {"trainer__label_smoothing": smoothing, "optimizer__weight_decay": smoothing}
                leave("Cosine", lr, seed, 0.5 + smoothing + lr + 0.01 * seed, **change)
    text = sweep_table(tmp_path, width)
    assert max(map(len, text.splitlines())) <= width
    words = {word for line in text.splitlines() for word in line.split()}
    assert {"label_smoothing=0.125", "weight_decay=0.125", "schedule", "seeds", "0.6250*", "0.7500*"} <= words
    assert {"0.9", "0.8", "0.7"} <= words  # the rates that have no room are in a table below


def test_a_schedule_alone_has_no_columns_of_a_comparison(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    text = sweep_table(tmp_path)
    assert not any(word in text for word in ("worse by", "P(win)", "*", "Each at"))


def test_few_seeds_show_no_interval_and_count_their_pairs(leave, tmp_path: Path) -> None:
    for seed, worse in enumerate((0.1, 0.2, -0.06)):
        leave("Cosine", 0.1, seed, 0.5)
        leave("Step", 0.1, seed, 0.5 + worse)
    (row,) = [line for line in sweep_table(tmp_path).splitlines() if line.startswith("   step")]
    assert row.endswith("0.0800  .5     2/3")
    (pair,) = numbers(compare_paths([tmp_path]))["workloads"][0]["pairs"]
    assert (pair["interval"], pair["probability"]) == (None, 2 / 3)


def test_a_mean_and_its_spread_have_one_format(leave, tmp_path: Path) -> None:
    for seed, loss in enumerate((0.0976, 0.0977, 0.0978)):
        leave("Cosine", 0.1, seed, loss)
        leave("Step", 0.1, seed, loss * 1e-5)  # 9.76e-07 … 9.78e-07, sd 1e-9
    text = sweep_table(tmp_path)
    assert "0.0977 ± 0.0001" in text
    assert "9.77e-07 ± 0.01e-07" in text


def test_halving_is_said_instead_of_each_at_its_best(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    for lr in (0.1, 0.3):
        leave("Step", lr, 0, 0.6, status="stopped", reason="ranked 2 of 3 at step 6")
    told = "dropped runs have no final value, and only the marked one is left to compare."
    text = sweep_table(tmp_path)
    assert f"Chosen by successive halving: {told}" in text
    assert "Each at its best" not in text


def test_a_row_without_a_finite_value_is_not_marked(leave, tmp_path: Path) -> None:
    for schedule in ("Cosine", "Step"):
        leave(schedule, 0.1, 0, status="failed", reason="NotFinite: step 3", metrics={})
    leave("Cosine", 0.1, 1, 0.5, dataset__validation=0.3)  # another workload: a metric is there at all
    text = sweep_table(tmp_path)
    assert not any(line.startswith("* ") for line in text.splitlines())
    assert "note: step: every run that has ended diverged" in text


def test_a_long_reason_is_cut_and_json_keeps_it(leave, tmp_path: Path) -> None:
    reason = f"NotFinite: step 3: the training loss is nan; the batch holds {', '.join(map(str, range(64)))}"
    leave("Cosine", 0.1, 0, status="failed", reason=reason, metrics={})
    assert sweep_table(tmp_path).splitlines()[-1].endswith("  NotFinite: step 3: the training loss is nan")
    (left,) = numbers(compare_paths([tmp_path]))["not_finished"]
    assert left["reason"] == reason


def test_the_best_is_in_colour_where_a_person_looks(sweep: Path) -> None:
    (coloured,) = [line for line in sweep_table(sweep, 120, colour=True).splitlines() if "\x1b[1;32m" in line]
    assert "cosine" in coloured


def test_words_in_brackets_are_words(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status="failed", reason="[bold]no[/bold] :smile:", metrics={})
    assert "[bold]no[/bold] :smile:" in sweep_table(tmp_path)


def test_the_numbers_are_json_and_the_tables(sweep: Path) -> None:
    content = json.loads(json.dumps(numbers(compare_paths([sweep])), allow_nan=False))
    assert content["ends"] == {"diverged": 1, "failed": 1, "finished": 22}
    (workload,) = content["workloads"]
    best, other = workload["candidates"]
    assert (best["name"], best["lr"], best["edge"]) == ("cosine", 0.1, None)  # for 1.0 lacks a run
    assert best["values"] == dict(zip("012345", SIX, strict=True))
    assert best["metrics"]["test/accuracy"]["mean"] == pytest.approx(1 - math.fsum(SIX) / 6)
    assert [rate["lacking"] for rate in best["rates"]] == [[], [5]]
    assert other["rates"][1]["values"]["5"] is None  # it diverged
    (pair,) = workload["pairs"]
    assert (pair["verdict"], pair["p"], pair["probability"], pair["more_seeds"]) == ("better", 1 / 32, 1, None)
    assert {(left["status"], left["reason"]) for left in content["not_finished"]} == {
        ("diverged", "NotFinite: val/loss is nan"),
        ("failed", "OSError: No space left"),
    }


def test_the_same_runs_give_the_same_report(sweep: Path) -> None:
    assert numbers(compare_paths([sweep])) == numbers(compare_paths([sweep]))


def test_the_steps_to_a_target_and_the_score(sweep: Path) -> None:
    found = compare_paths([sweep], target=0.6)
    (race,) = found.races
    # At rate 0.1 a loss goes 1, (1 + final)/2, final: cosine's finals are below .6, and so are step's but for
    # .61, .62 and .63, half of its six seeds: the median of 30, 30, 30 and three misses is a miss.
    assert race.steps == {"cosine": 30, "step": math.inf}
    assert scores(found.races) == {"cosine": 1, "step": 0}
    (race,) = compare_paths([sweep], target=0.78).races
    # Halfway, cosine is at (1 + .47 … .53)/2 = .735 … .765, step at .785 … .815
    assert race.steps == {"cosine": 20, "step": 30}
    assert scores([race]) == {"cosine": 1, "step": pytest.approx((4 - 30 / 20) / 3)}
    assert "never" not in render(compare_paths([sweep], target="auto"))


def test_steps_of_different_sizes_are_told(leave, tmp_path: Path) -> None:
    for size in (32, 64):
        leave("Cosine", 0.1, 0, 0.5, rows=evaluations(0.5), dataset__batch_size=size)
    assert "a step is not the same work for all" in render(compare_paths([tmp_path], target=0.6))


def test_a_target_of_the_test_part_is_refused(sweep: Path) -> None:
    with pytest.raises(ConfigError, match="measured once, at the end; give --metric val/accuracy"):
        compare_paths([sweep], "test/accuracy", target=0.5)


def test_curves_are_of_the_steps_that_all_runs_measured(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.3, rows=[{"step": 5, "train/loss": 9.0}, *evaluations(0.5, 0.4, 0.3)])
    leave("Cosine", 0.1, 1, 0.2, rows=evaluations(0.3, 0.2))
    tables = [
        {row["step"]: row["val/loss"] for row in run.rows() if "val/loss" in row} for run in read_runs([tmp_path])
    ]
    steps, values = together(tables)
    assert steps.tolist() == [10, 20]
    assert values.tolist() == [[0.5, 0.4], [0.3, 0.2]]


def test_the_pictures(sweep: Path) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: the pictures need the extra `plot`")
    drawn = pictures(compare_paths([sweep]), "pictures")
    assert list(drawn) == ["curves.png", "rates.png", "target.png"]
    assert all(content.startswith(PNG) for content in drawn.values())
    assert drawn == pictures(compare_paths([sweep]), "pictures")


def test_what_has_no_rows_and_no_rate_is_left_out_of_the_pictures(leave, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: the pictures need the extra `plot`")
    (leave("Cosine", 0.1, 0, 0.5) / "metrics.jsonl").unlink()
    (leave("Cosine", 0.0, 0, 0.6) / "metrics.jsonl").write_text("{\n")
    leave("Step", 0.1, 0, status=None, optimizer__lr="${model.lr}")
    found = compare_paths([tmp_path], target="auto")
    assert found.races[0].steps == {"cosine": math.inf, "step": math.inf}
    assert all(content.startswith(PNG) for content in pictures(found, "pictures").values())
    assert "unfinished" in render(found)


def test_a_report_of_nothing_but_damage_is_a_list_of_it(leave, tmp_path: Path) -> None:
    (leave("Cosine", 0.1, 0, 0.5) / "config.yaml").write_text("a: [")
    leave("Cosine", 0.1, 1, status="failed", reason="a\nb\x1b[31m", metrics={})
    text = sweep_table(tmp_path)
    assert text.startswith("2 runs: ")
    assert "cosine: no run has finished" in text
    assert "a b [31m" in text
    assert numbers(compare_paths([tmp_path]))["workloads"][0]["candidates"][0]["mean"] is None


def test_without_matplotlib_there_is_one_clear_message(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"--png=here: a picture needs matplotlib.*hydra-lrsched\[plot\]"):
        pictures(compare_paths([sweep]), "here")


def test_the_sheet_has_a_row_a_run_and_reads_back_exactly(sweep: Path) -> None:
    runs = read_runs([sweep])
    write_sweep_csv(sweep, runs)
    text = (sweep / "sweep.csv").read_text("utf-8")
    assert text == sweep_csv(runs[::-1])  # whatever the order
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["run", "status", "optimizer.lr", "scheduler", "seed", "step", "test/accuracy", "val/loss"]
    assert len(rows) == 24
    for row, run in zip(rows, runs, strict=True):
        assert (row["run"], row["status"], row["step"]) == (run.path.name, run.status, str(run.step))
        assert float(row["optimizer.lr"]) == run.config["optimizer.lr"]
        measured = run.metrics.get("val/loss")
        assert row["val/loss"] == ("" if measured is None else repr(measured))
    assert {row["scheduler"] for row in rows} == {"cosine", "step"}


def test_the_sheet_shows_every_mapping_that_was_added_to_a_key(leave, tmp_path: Path) -> None:
    run = leave("Cosine", 0.1, 0, 0.5)
    words = ["+optimizer.groups={a:{lr:0.1}}", "+optimizer.groups={b:{lr:0.2}}"]
    (run.parent / "sweep.json").write_text(json.dumps({"jobs": [{"run_id": run.name, "overrides": words}]}))
    (row,) = csv.DictReader(io.StringIO(sweep_csv(read_runs([tmp_path]))))
    assert row["optimizer.groups"] == "{a:{lr:0.1}} {b:{lr:0.2}}"


def test_the_sheet_has_what_the_sweep_was_asked_for(leave, tmp_path: Path) -> None:
    run = leave("Cosine", 0.1, 0, 0.5)
    jobs = [
        {"run_id": run.name, "overrides": ["scheduler=cosine", "trainer.epochs=2", "device=cpu"], "status": "finished"},
        {"run_id": "zz", "overrides": ["scheduler=cosine", "+optimizer.lr=-1"], "status": "failed", "reason": "no"},
    ]
    (run.parent / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    first, second = csv.DictReader(io.StringIO(sweep_csv(read_runs([tmp_path]))))
    assert list(first) == ["run", "status", "optimizer.lr", "scheduler", "seed", "trainer.epochs", "step", "val/loss"]
    assert (first["trainer.epochs"], first["scheduler"]) == ("2", "cosine")
    assert (second["run"], second["status"], second["optimizer.lr"]) == ("zz", "failed", "-1")
