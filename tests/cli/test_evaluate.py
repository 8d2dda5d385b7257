"""`lrsched evaluate`: the run's own figures, to the last bit, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

from lrsched.errors import NotFinite
from tests.cli.test_check import contents, flip
from tests.helpers.cli import TINY
from tests.helpers.house import in_a_fresh_process

RUN = (*TINY, "name=run", "checkpoint.every=1ep", "checkpoint.keep=3", "logger=none", "threads=1")
RISING = ("trainer.epochs=3", "optimizer.lr=1", "trainer.evaluate_every=1ep")  # the best one is not the last


def figures(run_cli, *flags: str) -> dict[str, float]:
    ended = run_cli("outputs/run", *flags, "--json", "found/found.json", command="evaluate")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(Path("found/found.json").read_text())


def of(part: str, metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(f"{part}/")}


def test_both_weights_on_both_parts_are_those_of_the_result_and_nothing_changes(run_cli) -> None:
    trained = run_cli(*RUN, *RISING)
    assert trained.code == 0, trained.err
    result, before = trained.result(), contents(Path("outputs/run"))
    assert result["best"]["step"] < result["step"]
    assert figures(run_cli) == of("test", result["metrics"])
    assert figures(run_cli, "--part", "val") == of("val", result["metrics"])
    assert figures(run_cli, "--weights", "best") == of("test", result["best"])
    assert figures(run_cli, "--part=val", "--weights=best") == of("val", result["best"])
    assert contents(Path("outputs/run")) == before
    assert set(figures(run_cli)) == {"test/loss", "test/accuracy"}


def test_it_speaks_in_the_tasks_own_terms_and_flags_stand_anywhere(run_cli) -> None:
    result = run_cli(*RUN).result()
    ended = run_cli("--weights", "best", "outputs/run", "--part", "val", command="evaluate")
    accuracy, loss = (result["best"][f"val/{name}"] for name in ("accuracy", "loss"))
    step = result["best"]["step"]
    assert ended.out.splitlines() == [
        f"outputs/run: best weights, of step {step}, on the validation part",
        f"  loss      {loss:.6g} nats",
        f"  accuracy  {accuracy:.2%}",
    ]


def test_the_unit_of_a_target_and_a_task_of_numbers(run_cli) -> None:
    lines = [f"{n % 7},{n % 5},{3 * (n % 7) - n % 5}" for n in range(60)]
    Path("t.csv").write_text("a,b,y\n" + "\n".join(lines) + "\n")
    table = ("dataset=table", "dataset.path=t.csv", "dataset.target=y", "+dataset.unit=metres", "task=regression")
    trained = run_cli(*table, "model=linear", "trainer.epochs=2", "trainer.progress=false", "name=run", "logger=none")
    assert trained.code == 0, trained.err
    ended = run_cli("outputs/run", command="evaluate")
    rmse = trained.result()["metrics"]["test/rmse"]
    assert f"  rmse  {rmse:.6g} metres\n" in ended.out
    assert figures(run_cli) == of("test", trained.result()["metrics"])


def test_a_run_of_a_model_in_the_current_folder(run_cli) -> None:
    Path("mine.py").write_text(
        "import torch\nclass Net(torch.nn.Sequential):\n    def __init__(self, features: int, "
        "classes: int):\n        super().__init__(torch.nn.Flatten(), torch.nn.Linear(features, classes))\n"
    )
    Path("pyproject.toml").write_text('[tool.lrsched]\ntrust = ["mine"]\n')
    trained = run_cli(*RUN, "~model", "+model={_target_: mine.Net}")
    assert trained.code == 0, trained.err
    assert figures(run_cli) == of("test", trained.result()["metrics"])
    Path("pyproject.toml").unlink()
    ended = run_cli("outputs/run", command="evaluate")
    assert ended.code == 2
    assert "mine.Net: is not an allowed model" in ended.err


def test_a_stopped_run_and_one_that_went_on_by_other_settings(run_cli) -> None:
    assert run_cli(*RUN, "sweep.until=6").code == 0
    assert (
        run_cli(
            "resume=outputs/run", "sweep.until=null", "optimizer.lr=0.01", "checkpoint.allow_change=[optimizer.lr]"
        ).code
        == 0
    )
    result = json.loads(Path("outputs/run/result.json").read_text())
    assert result["status"] == "finished"
    assert figures(run_cli) == of("test", result["metrics"])


def test_a_damaged_newest_checkpoint(run_cli) -> None:
    assert run_cli(*RUN).code == 0
    flip(Path("outputs/run/checkpoints/step-0000000012/state.pt"))
    ended = run_cli("outputs/run", command="evaluate")
    assert ended.code == 0
    assert "passed over: " in ended.err
    assert "last weights, of step 6, on the test part" in ended.out
    for path in Path("outputs/run/checkpoints").glob("*/state.pt"):
        path.write_bytes(b"")
    ended = run_cli("outputs/run", command="evaluate")
    assert ended.code == 4
    assert ended.err.startswith("lrsched: no valid checkpoint in outputs/run/checkpoints: ")


def test_what_cannot_be_is_one_message(run_cli) -> None:
    assert run_cli(*RUN, "sweep.until=3").code == 0
    before = contents(Path("outputs"))
    for words, code, message in (
        ((), 2, "lrsched evaluate --help shows what it takes"),
        (("outputs/run", "outputs/run"), 2, "unrecognized arguments: outputs/run"),
        (("outputs/rum",), 2, "RUN_FOLDER=outputs/rum: there is no such folder; did you mean outputs/run?"),
        (("outputs/run/config.yaml",), 2, "is a file, not the folder of a run"),
        (
            ("outputs/run", "--weights", "first"),
            2,
            "weights=first: must be one of last, best, average, snapshot",
        ),
        (("outputs/run", "--part", "train"), 2, "invalid choice: 'train'"),
        (
            ("outputs/run", "--weights", "best"),
            2,
            "has made no evaluation with a finite val/loss; take the last weights",
        ),
        (("outputs/run", "--json", "outputs/run/config.yaml/x"), 6, "cannot be written"),
    ):
        ended = run_cli(*words, command="evaluate")
        assert (ended.code, ended.err.count("\n")) == (code, 1), (words, ended.err)
        assert message in ended.err
    assert contents(Path("outputs")) == before


def test_a_metric_that_is_not_finite(run_cli, monkeypatch) -> None:
    def refuse(*_: object) -> dict[str, float]:
        raise NotFinite("test/loss is nan")

    assert run_cli(*RUN).code == 0
    monkeypatch.setattr("lrsched.train.evaluate.evaluate", refuse)
    ended = run_cli("outputs/run", command="evaluate")
    assert (ended.code, ended.err) == (3, "lrsched: test/loss is nan\n")


def test_what_evaluates_nothing_needs_no_torch() -> None:
    code = (
        "import sys; from lrsched.cli.evaluate import main\nmain(['nowhere'])\ntry: main(['--help'])\n"
        "except SystemExit: pass\nprint('TORCH' if 'torch' in sys.modules else 'FREE')"
    )
    assert in_a_fresh_process(code).strip().endswith("FREE")
