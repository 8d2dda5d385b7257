"""The page of a report: what it says, where, and that it says nothing else."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from lrsched.cli.report import main
from lrsched.page import write_page
from lrsched.page.page import page
from lrsched.picture import png
from lrsched.report import compare_paths
from lrsched.report.json import numbers
from tests.report.conftest import leave  # noqa: F401  (a fixture)


@pytest.fixture
def sweep(leave, tmp_path: Path) -> Path:  # noqa: F811
    """Two schedules, two rates, three seeds, with rows."""
    for schedule, worse in (("Cosine", 0.0), ("Step", 0.25)):
        for lr in (0.1, 1.0):
            for seed in range(3):
                loss = 0.5 + worse + lr + 0.125 * seed
                rows = [
                    {"step": step, "val/loss": loss + (8 - step) / (8 * step), "lr/default": lr}
                    for step in (1, 2, 4, 8)
                ]
                leave(schedule, lr, seed, loss, rows=rows)
    return tmp_path / "sweep"


def test_a_command_writes_the_whole_page(sweep: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.html"
    assert main([str(sweep), "--html", str(file)]) == 0
    text = file.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text == page(compare_paths([sweep]), [sweep])


def test_its_data_are_those_of_the_rows(sweep: Path) -> None:
    text = page(compare_paths([sweep]), [sweep])
    blocks = dict(re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', text))
    (workload,) = json.loads(blocks["lrs-data"])["workloads"]
    best = workload["candidates"][0]
    assert (best["name"], best["lr"], best["bands"]["val/loss"]["seeds"]) == ("cosine", 0.1, 3)
    assert best["bands"]["val/loss"]["mean"] == [1.6, 1.1, 0.85, 0.725]  # 0.6 + 1/step
    assert len(json.loads(blocks["lrs-runs"])) == 12


def test_no_number_differs_from_those_of_the_json(sweep: Path) -> None:
    report = compare_paths([sweep], target="auto")
    text, told = page(report, [sweep]), numbers(report)
    rows = re.findall(r'<tr data-workload="0" data-candidate="(\d)".*?</tr>', text, re.S)
    assert rows[:2] == ["0", "1"]
    for number, row in enumerate(told["workloads"][0]["candidates"]):
        (shown,) = re.findall(rf'<tr data-workload="0" data-candidate="{number}".*?</tr>', text, re.S)[:1]
        assert f'<td data-key="{row["lr"]}">{row["lr"]}</td>' in shown
        assert f"{row['mean']:.4f} ± {row['sd']:.4f}" in shown
    for pair in told["workloads"][0]["pairs"]:
        assert pair["text"] in text
        assert f"{pair['difference']:.4f}</td>" in text
    for race in told["races"]:
        steps = ["never" if steps is None else f"{steps:.0f}" for steps in race["steps"].values()]
        assert all(f"<td>{cell}</td>" in text for cell in steps)
    values = {v for row in told["workloads"][0]["candidates"] for rate in row["rates"] for v in rate["values"].values()}
    keys = set(
        map(float, re.findall(r'data-end="finished".*?<td data-key="([^"]+)">[^<]+</td><td class="text"><code', text))
    )
    assert keys == values


def test_a_command_makes_the_run_again(sweep: Path) -> None:
    text = page(compare_paths([sweep]), [sweep])
    found = {html.unescape(said) for said in re.findall(r'<code class="command">(.*?)</code>', text)}
    assert len(found) == 12
    for said in found:
        program, command, *words = shlex.split(said)
        assert (program, command, words[0], words[2:4]) == (
            "lrsched",
            "train",
            "--config-path",
            ["--config-name", "config"],
        )
        assert (Path(words[1]) / "config.yaml").is_file()
        assert re.fullmatch(r"name=[A-Za-z0-9][A-Za-z0-9._-]{0,99}", words[4])


def test_what_a_finder_answered_is_shown_without_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    curve = [{"lr": 10.0**k, "horizon": k, "seed": 0, "loss": float((k + 2) ** 2)} for k in range(-4, 1)]
    answer = {"method": "range", "suggestion": 0.01, "override": "optimizer.lr=0.01", "candidates": curve}
    (tmp_path / "find.json").write_text(json.dumps(answer), "utf-8")
    assert main([str(tmp_path), "--html", str(tmp_path / "x.html")]) == 0
    text = (tmp_path / "x.html").read_text("utf-8")
    assert "the finder suggests <code>optimizer.lr=0.01</code>" in text
    assert "<td>4</td>" in text  # the loss at 1
    assert capfd.readouterr().out == "no run; --html F shows what a finder answered\n"


def test_schedules_that_a_finder_compared_are_ranked(tmp_path: Path) -> None:
    def one(name: str, mean: float, behind: dict[str, float] | None) -> dict[str, object]:
        ends = {"mean": mean, "low": mean - 0.125, "high": mean + 0.125}
        more = {"suggestion": 0.1, "override": f"scheduler={name}", "interval": [0.05, 0.2], "candidates": []}
        return {"scheduler": name, "predicted": ends, "behind_percent": behind, "undecided": name != "step", **more}

    behind = {"mean": 2.0, "low": -1.0, "high": 5.0}
    answers = [one("wsd", 0.5, None), one("cosine", 0.75, behind), one("step", 1.0, {**behind, "low": 1.0})]
    content = {"answers": answers, "undecided": ["wsd", "cosine"], "decide": "lrsched train -m x", "candidates": []}
    (tmp_path / "find.json").write_text(json.dumps(content), "utf-8")
    text = page(compare_paths([tmp_path]), [tmp_path])
    assert f"{tmp_path.name}: wsd is ahead, not decided among wsd, cosine</p>" in text
    (row,) = re.findall(r'<tr><td class="text">2</td>.*?</tr>', text)
    cells = re.findall(r">([^<>]+)<", row)
    assert cells == ["2", "cosine", "0.1", "0.05 to 0.2", "0.75 (0.625 to 0.875)", "2 (-1 to 5)", "undecided"]
    assert '<code class="command">lrsched train -m x</code>' in text


def test_steps_that_runs_shared_stand_below_the_run_that_made_them(sweep: Path) -> None:
    runs = sorted(path.name for path in sweep.iterdir())[:3]
    for source, run in pairwise(runs):
        (sweep / run / "timing.jsonl").write_text(json.dumps({"event": "fork", "step": 3, "source": source}) + "\n")
    jobs = [
        {"run_id": run, "overrides": ["scheduler=x", f"seed={seed}"], "status": "finished", "steps_asked": 8}
        for seed, run in enumerate(runs)
    ]
    whole = [{**job, "steps_trained": 8 if job is jobs[0] else 5} for job in jobs]
    content = {"jobs": whole[::-1], "steps_asked": 24, "steps_trained": 18, "wall_seconds": 1.5}
    (sweep / "sweep.json").write_text(json.dumps(content), "utf-8")
    text = page(compare_paths([sweep]), [sweep])
    assert "18 steps trained of 24 asked for, in 1.5 s." in text
    table = re.findall(r'<table id="steps-0".*?</table>', text, re.S)[0]
    rows = [re.findall(r"<t[dh][^>]*>([^<]*)<", row) for row in table.split("<tr>")[2:]]
    assert rows == [
        ["seed=0", "0", "8", "8", "", ""],
        ["· seed=1", "3", "5", "8", "seed=0", ""],
        ["· · seed=2", "3", "5", "8", "seed=1", ""],
    ]


def test_what_a_task_shows_is_in_the_page(sweep: Path) -> None:
    run = next(path for path in sorted(sweep.iterdir()) if "Cosine" in path.name and "lr-0.1" in path.name)
    (run / "shown").mkdir()
    (run / "shown" / "0000000004-old.txt").write_text("older", "utf-8")
    for step, word in ((4, "first"), (8, "l<ast")):
        (run / "shown" / f"000000000{step}-in-words.txt").write_text(word, "utf-8")
    (run / "shown" / "0000000008-picture.png").write_bytes(png(bytes(12), 2, 2))
    (run / "shown" / "0000000008-no-picture.png").write_bytes(b"GIF89a")
    text = page(compare_paths([sweep]), [sweep])
    assert "cosine, step 8: in words" in text
    assert "l&lt;ast</pre>" in text
    assert "first</pre>" not in text
    address = base64.b64encode(png(bytes(12), 2, 2)).decode()
    assert f'<img src="data:image/png;base64,{address}" alt="picture of cosine at step 8">' in text
    assert "no picture" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["swep", "--html", "x.html"], 2, "did you mean 'sweep'?"),
        (["empty", "--html", "x.html"], 2, "there is no run in it"),
        (["--html", "x.html"], 2, "the following arguments are required: PATH"),
        (["sweep", "--html"], 2, "argument --html: expected one argument"),
        (["sweep", "--htm", "x.html"], 2, "unrecognized arguments: --htm x.html"),
        (["sweep", "--html", "x.html", "--metric", "val/los"], 2, "did you mean 'val/loss'?"),
        (["sweep", "--html", "x.html", "--mode", "up"], 2, "argument --mode: invalid choice: 'up'"),
        (["sweep", "--html", "x.html", "--target", "low"], 2, "'low' is neither a number nor auto"),
        (["sweep", "--html", "x.html", "--target", "nan"], 2, "'nan' is neither a number nor auto"),
        (["sweep", "--html", "x.html", "--metric", "test/x", "--target", "1"], 2, "no finished run has it"),
        (["sweep", "--html", "empty"], 6, "empty cannot be written: Is a directory"),
        (["sweep", "--html", "file/x.html"], 6, "file/x.html cannot be written"),
        (["sweep", "--html", ""], 6, ". cannot be written"),
        (["sweep", "--html", "x" * 300], 6, "File name too long"),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value)[:20],
)
def test_a_mistake_is_one_message_and_leaves_nothing(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments, code: int, said: str
) -> None:
    monkeypatch.chdir(sweep.parent)
    (sweep.parent / "empty").mkdir()
    (sweep.parent / "file").write_text("")
    before = sorted(sweep.parent.rglob("*"))
    assert main(arguments) == code
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err
    assert sorted(sweep.parent.rglob("*")) == before


def test_a_sweep_says_where_its_page_is(sweep: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_page(sweep)
    assert capfd.readouterr().err == f"lrsched: {sweep / 'report.html'} shows it in a browser\n"
    assert (sweep / "report.html").read_text("utf-8") == page(compare_paths([sweep]), [sweep])


def test_a_sweep_whose_page_fails_says_so_in_a_line(sweep: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (sweep / "report.html").mkdir()
    write_page(sweep)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "report.html was not written (IsADirectoryError" in said


def test_a_rate_that_jumps_is_drawn_as_stairs_and_a_decay_is_not(leave, tmp_path: Path) -> None:  # noqa: F811
    def rows(*rates: float) -> list[dict[str, float]]:
        return [{"step": 10 * place, "lr/default": rate, "val/loss": 0.5} for place, rate in enumerate(rates)]

    leave("Step", 0.1, 0, 0.5, rows=rows(0.1, 0.1, 0.01, 0.01))
    leave("Cosine", 0.1, 0, 0.6, rows=rows(0.1, 0.07, 0.03, 0.01))
    text = page(compare_paths([tmp_path]))
    lines = re.findall(r'<polyline class="line c([01]) d\d+" points="([^"]+)"/>', text)
    rates = {number: points.split() for number, points in lines if len(points.split()) in (4, 5)}
    of = {number: [tuple(map(float, point.split(","))) for point in points] for number, points in rates.items()}
    (x2, y2), (x3, y3), (x4, _) = of["0"][1:4]
    assert len(of["0"]) == 5  # 0, 10, 19, 20, 30
    assert y2 == y3
    assert x4 - x3 == pytest.approx((x4 - x2) / 10, abs=0.2)
    assert len(of["1"]) == 4
    data = json.loads(re.findall(r'id="lrs-data">(.*?)</script>', text)[0])
    assert [0, 10, 19, 20, 30] in data["axes"]
