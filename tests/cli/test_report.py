"""``lrsched report`` on files that real runs left."""

from __future__ import annotations

import csv
import fcntl
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lrsched.cli.main import main
from lrsched.records import write_json
from lrsched.report import sweep_table, write_sweep_csv
from lrsched.report.read import read_runs
from tests.helpers.cli import TINY

RATES, SEEDS = (0.01, 0.1), (0, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a sweep was run: two schedules, two rates, two seeds."""
    folder = tmp_path_factory.mktemp("made")
    swept = ["scheduler=cosine,constant", "optimizer.lr=0.01,0.1", "seed=0,1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["lrsched", "train", "-m", *swept, *TINY, "name=sweep"])
        main()
    return folder


@pytest.fixture
def sweep(made: Path, run_cli, tmp_path: Path) -> Path:
    """A copy of it below the folder that the command works in."""
    return Path(shutil.copytree(made / "outputs", tmp_path / "outputs")) / "sweep"


def test_a_sweep_is_compared_by_what_its_runs_say(sweep: Path, run_cli) -> None:
    ended = run_cli("outputs/sweep", "--json", "numbers/report.json", "--png", "pictures", command="report")
    assert ended.code == 0, ended.err
    assert ended.out == sweep_table(Path("outputs/sweep"))
    content = json.loads((ended.cwd / "numbers" / "report.json").read_text("utf-8"))
    assert (content["metric"], content["ends"]) == ("val/loss", {"finished": 8})
    losses = {}  # schedule -> rate -> seed, from the files themselves
    for folder in sweep.iterdir():
        if folder.is_dir():
            result = json.loads((folder / "result.json").read_text("utf-8"))
            schedule, rate, seed = (
                folder.name.split(f"{key}-")[1].split("_")[0] for key in ("scheduler", "lr", "seed")
            )
            losses.setdefault(schedule, {}).setdefault(float(rate), {})[seed.split("-")[0]] = result["metrics"][
                "val/loss"
            ]
    (workload,) = content["workloads"]
    assert workload["name"] == "mlp synthetic"
    means = {name: min((sum(v.values()) / 2, rate) for rate, v in rates.items()) for name, rates in losses.items()}
    order = sorted(means, key=lambda name: means[name])
    assert [row["name"] for row in workload["candidates"]] == order
    for row in workload["candidates"]:
        assert row["lr"] == means[row["name"]][1]
        assert row["mean"] == pytest.approx(means[row["name"]][0])
        assert row["values"] == losses[row["name"]][row["lr"]]
    (pair,) = workload["pairs"]
    assert (pair["verdict"], pair["more_seeds"] >= 4) == ("undecided", True)
    assert "not decided: about" in ended.out
    drawn = ["curves.png", "rates.png", "target.png"]
    assert sorted(path.name for path in (ended.cwd / "pictures").iterdir()) == drawn


def test_runs_and_sweeps_are_taken_together_and_each_once(sweep: Path, run_cli) -> None:
    one = next(path for path in sweep.iterdir() if path.is_dir())
    ended = run_cli("outputs", str(one), "outputs/sweep", command="report")
    assert ended.out.splitlines()[0] == "8 runs: 8 finished"


def test_failed_and_damaged_runs_are_shown_with_their_reasons(sweep: Path, run_cli) -> None:
    first, second, third, fourth = sorted(path for path in sweep.iterdir() if path.is_dir())[:4]
    (first / "result.json").unlink()
    (second / "config.yaml").write_text("a: [")
    (third / "result.json").write_text("{")
    config = (fourth / "config.yaml").read_text()
    (fourth / "config.yaml").write_text(config.replace("momentum: 0.9", "momentum: 0.8"))
    run_cli(*TINY, "name=wild", "optimizer.lr=1e30", "optimizer.momentum=0", "optimizer.nesterov=false")
    ended = run_cli("outputs", command="report")
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "9 runs: 4 finished, 3 broken, 1 unfinished, 1 diverged"
    assert "5 of 9 runs did not finish:" in ended.out
    for reason in (
        "it is running, or was killed",
        "config.yaml cannot be read",
        "result.json cannot be read",
        "is not the one that the run was made with",
        "  diverged  outputs/wild  NotFinite",
    ):
        assert reason in ended.out


def on_a_terminal(columns: int, cwd: Path, *arguments: str) -> str:
    """What a command prints on a terminal so many columns wide, without colours."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-c", "from lrsched.cli.main import main; main()", *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "TERM")}
    environment |= {"TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.DEVNULL, stdin=theirs, cwd=cwd, env=environment
    )
    os.close(theirs)
    text = b""
    with suppress(OSError):  # the last that had it open has closed it
        while block := os.read(ours, 65536):
            text += block
    os.close(ours)
    assert process.wait() == 0
    return text.decode().replace("\r\n", "\n")


def test_a_sweep_ends_with_what_the_report_prints_in_the_width_of_the_terminal(sweep: Path) -> None:
    swept = ["scheduler=cosine,constant", "optimizer.lr=0.01,0.1", "seed=0,1", *TINY, "name=sweep"]
    for columns in (80, 120):
        ended = on_a_terminal(columns, sweep.parent.parent, "train", "-m", *swept)
        told = on_a_terminal(columns, sweep.parent.parent, "report", "outputs/sweep")
        assert told == ended == sweep_table(Path("outputs/sweep"), columns)
        assert max(map(len, told.splitlines())) <= columns


def test_the_steps_to_a_target_come_from_the_rows(sweep: Path, run_cli) -> None:
    ended = run_cli("outputs", "--metric", "val/accuracy", "--target", "0", "--json", "r.json", command="report")
    assert ended.code == 0, ended.err
    content = json.loads((ended.cwd / "r.json").read_text("utf-8"))
    (race,) = content["races"]
    assert race["steps"] == {"constant": 6, "cosine": 6}  # the first evaluation, after an epoch of 6 updates
    assert content["scores"] == {"constant": 1, "cosine": 1}


def test_a_real_sweep_left_its_page(sweep: Path, run_cli) -> None:
    assert run_cli("outputs/sweep", "--html", "page.html", command="report").code == 0
    assert (sweep / "report.html").read_text("utf-8") == Path("page.html").read_text("utf-8")


def test_the_sheet_of_a_real_sweep(sweep: Path) -> None:
    write_sweep_csv(sweep, read_runs([sweep]))
    with open(sweep / "sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = {(row["scheduler"], float(row["optimizer.lr"]), int(row["seed"])) for row in rows}
    assert asked == {(name, rate, seed) for name in ("cosine", "constant") for rate in RATES for seed in SEEDS}
    for row in rows:
        result = json.loads((sweep / row["run"] / "result.json").read_text("utf-8"))
        assert {name: float(row[name]) for name in result["metrics"]} == result["metrics"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["outputs/swep"], "PATH=outputs/swep: there is no such folder; did you mean 'sweep'?"),
        ([], "lrsched: report: the following arguments are required: PATH; lrsched report --help shows what it takes"),
        (["outputs", "--metric", "val/los"], "--metric=val/los: no finished run has it; did you mean 'val/loss'?"),
        (["outputs", "--target", "low"], "argument --target: 'low' is neither a number nor auto"),
        (["outputs", "--target", "1", "--metric", "test/loss"], "is measured once, at the end"),
        (["outputs", "--mode", "up"], "argument --mode: invalid choice: 'up'"),
        (["outputs", "--page", "x"], "unrecognized arguments: --page x"),
        (["outputs", "--table", "html"], "argument --table: invalid choice: 'html' (choose from"),
        (["outputs", "--table"], "argument --table: expected one argument"),
        (["outputs/swep", "--table", "md"], "did you mean 'sweep'?"),
        (["outputs", "--table", "csv", "--metric", "val/los"], "did you mean 'val/loss'?"),
        (["outputs", "--table", "csv", "--target", "nan"], "argument --target: 'nan' is neither a number nor auto"),
        (["outputs", "--target", "-inf"], "--target"),
        (["outputs", "--json", "r.x", "--html", "r.x"], "--html=r.x: is the file of --json too; give each a name"),
        (["outputs", "--json", "outputs/sweep/sweep.json"], "FILE=outputs/sweep/sweep.json: is what a run or a sweep"),
        (["outputs", "--html", "outputs/sweep/multirun.yaml"], "left there; give another name"),
    ],
)
def test_a_mistake_is_one_message_and_2(sweep: Path, run_cli, arguments: list[str], said: str) -> None:
    ended = run_cli(*arguments, command="report")
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(("form", "begins"), [("md", "| schedule |"), ("latex", "% needs"), ("csv", "schedule,lr,")])
def test_a_table_alone_goes_to_stdout_and_its_notes_to_stderr(sweep: Path, run_cli, form: str, begins: str) -> None:
    ended = run_cli("outputs", "--table", form, "--metric", "val/accuracy", "--json", "r.json", command="report")
    assert ended.code == 0
    assert ended.out.startswith(begins)
    assert "val/accuracy" in ended.out
    assert all(line.startswith("lrsched: note: ") for line in ended.err.splitlines())
    assert json.loads((ended.cwd / "r.json").read_text("utf-8"))["metric"] == "val/accuracy"


def test_a_file_that_cannot_be_written_is_6(sweep: Path, run_cli) -> None:
    (sweep / "file").write_text("")
    ended = run_cli("outputs", "--json", "outputs/sweep/file/r.json", command="report")
    assert ended.code == 6
    assert ended.err.startswith("lrsched: outputs/sweep/file/r.json cannot be written")


def test_it_needs_no_torch(sweep: Path) -> None:
    code = (
        "import sys; sys.argv = ['lrsched', 'report', 'outputs']\n"
        "from lrsched.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=sweep.parent.parent)
    assert done.stdout.splitlines()[-1] == "0 False False", done.stderr


@pytest.mark.slow
def test_a_thousand_runs_are_reported_in_under_ten_seconds(made: Path, tmp_path: Path) -> None:
    run = next(path for path in (made / "outputs" / "sweep").iterdir() if path.is_dir())
    config = (run / "config.yaml").read_text("utf-8")
    lines = {key: next(line for line in config.splitlines() if line.startswith(key)) for key in ("seed: ", "  lr: ")}
    target = config.split("scheduler:\n  _target_: ")[1].splitlines()[0]
    result = json.loads((run / "result.json").read_text("utf-8"))
    del result["config_sha256"]  # of a config that is changed here
    for number in range(1000):  # ten schedules at five rates with twenty seeds
        schedule, rest = divmod(number, 100)
        rate, seed = divmod(rest, 20)
        folder = tmp_path / "outputs" / f"run-{number}"
        folder.mkdir(parents=True)
        text = config.replace(lines["seed: "], f"seed: {seed}", 1).replace(lines["  lr: "], f"  lr: {0.1 * 2**rate}")
        (folder / "config.yaml").write_text(text.replace(target, f"lrsched.schedules.Number{schedule}"))
        loss = 1 + abs(rate - 2) + 0.1 * schedule + 0.01 * math.sin(number)
        write_json(folder / "result.json", {**result, "metrics": {"val/loss": loss}})
        shutil.copy(run / "metrics.jsonl", folder)
    start = time.perf_counter()
    command = [sys.executable, "-c", "from lrsched.cli.main import main; main()", "report", "outputs"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert time.perf_counter() - start < 10
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1000 runs: 1000 finished")


def test_a_target_without_a_metric_says_what_it_is_of(sweep: Path, run_cli) -> None:
    told = "lrsched: --target 0.9 is of val/loss, at most; --metric NAME takes another one, as val/accuracy\n"
    assert told in run_cli("outputs/sweep", "--target", "0.9", command="report").err
    assert "--target" not in run_cli("outputs/sweep", "--target", "auto", command="report").err
    asked = run_cli("outputs/sweep", "--target", "0.9", "--metric", "val/accuracy", command="report")
    assert "--target" not in asked.err
