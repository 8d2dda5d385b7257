"""Find and read runs on disk, in any state."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from lrsched.errors import ConfigError
from lrsched.report.read import LOADER, parsed, read_runs
from tests.report.conftest import config

LOOP = "scheduler: &a {b: *a}\noptimizer: {}\n"


def test_runs_are_found_at_any_depth_and_each_once(leave, tmp_path: Path) -> None:
    one = leave("Cosine", 0.1, 0, 0.5, under="a/b")
    leave("Cosine", 0.1, 1, 0.6, under="c")
    (one / "checkpoints" / "step-0000000012").mkdir(parents=True)  # nothing is looked for in a run
    (one / "checkpoints" / "config.yaml").write_text("optimizer: 1\nscheduler: 1\n")
    runs = read_runs([tmp_path, one, tmp_path / "a" / ".." / "a"])
    assert [run.config["seed"] for run in runs] == [0, 1]
    assert runs[0].metrics == {"val/loss": 0.5}
    assert (runs[0].status, runs[0].step) == ("finished", 12)


def test_configs_that_are_not_of_runs_are_passed_over(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    for name, text in {"conf": "defaults:\n  - optimizer: sgd\n", "other": "a: 1\n", "text": "{"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text)
    assert len(read_runs([tmp_path])) == 1


def test_an_unfinished_run_and_one_of_each_end(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status=None)
    leave("Cosine", 0.1, 1, status="failed", reason="StorageError: No space left on device", metrics={})
    leave("Cosine", 0.1, 2, status="failed", reason="NotFinite: step 7: train/loss is nan", metrics={})
    leave("Cosine", 0.1, 3, status="stopped", reason="signal 15", metrics={"val/loss": 2.0})
    leave("Cosine", 0.1, 4, None)  # finished, and its loss is null: it was not finite
    runs = read_runs([tmp_path])
    assert [run.status for run in runs] == ["unfinished", "failed", "failed", "stopped", "finished"]
    assert [run.diverged for run in runs] == [False, False, True, False, True]
    assert [run.decided for run in runs] == [False, False, True, False, True]
    assert runs[1].reason == "StorageError: No space left on device"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", '{"step": 1}', '{"status": "finished", "metrics": {"a": "b"}}']
)
def test_a_damaged_result_is_told(leave, tmp_path: Path, content: str) -> None:
    (leave("Cosine", 0.1, 0, 0.5) / "result.json").write_text(content)
    (run,) = read_runs([tmp_path])
    assert run.status == "broken"
    assert run.reason.startswith("result.json cannot be read: ")
    assert run.config["optimizer.lr"] == 0.1


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "!!python/object/apply:os.getcwd []", "a: \x00", LOOP])
def test_a_damaged_config_is_told(leave, tmp_path: Path, content: str) -> None:
    (leave("Cosine", 0.1, 0, 0.5) / "config.yaml").write_text(content)
    (run,) = read_runs([tmp_path])
    assert run.status == "broken"
    assert run.reason.startswith("config.yaml cannot be read: ")


@pytest.mark.parametrize(
    "text",
    [
        "seed: 0\nname: x\noptimizer:\n  _target_: torch.optim.SGD\n  betas:\n  - 0.9\n  - 0.99\n",
        "a: 1\n# said by hand\n\nb:\n- 2\n- c: 3\na: 4\n",
        "a: 'one\nb: two'\nc: 3\n",  # a text that goes on where a key would begin
        'a: "one\nb: two"\n',
        "a: {b: 1,\nc: 2}\nd: 3\n",
        "a: |\n  b: 1\n\n  c\nd: >-\n  e\n",
        "a: |\nb: 1\n",
        "x: &x {lr: 1}\nlr: 2\n<<: *x\n",
        "x: &x {lr: 1}\ny: *x\n",
        "x: *x\n",
        "a: 1\n? b\n: 2\nc: 3\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n...\nb: 2\n",
        "a: 1\r...\rb: 2\n",
        "---\na: 1\n",
        "a: 1\nno key\nb: 2\n",
        "a: 1\n b: 2\n",
        "a: 2020-01-01\nb: !!set {c}\nc: 1e-5\n",
        "a:b: 1\nc:d\n",
        "a: x\x85b: 1\n",
        "\ufeffa: 1\nb: 2\n",
        "- a: 1\nb: 2\n",
        "a: \x00\nb: 1\n",
        "just a text\n",
        "a: [1\nb: 2]\n",
        "",
    ],
)
def test_a_config_parsed_by_its_groups_is_the_config(text: str) -> None:
    def told(parse) -> str:
        try:
            return repr(parse(text.encode()))
        except (ValueError, yaml.YAMLError) as error:
            return str(error)

    assert told(parsed) == told(lambda content: yaml.load(content, LOADER))


def test_a_sweep_says_what_its_folders_do_not(leave, tmp_path: Path) -> None:
    killed = leave("Cosine", 0.1, 0, status=None)
    jobs = [
        {"run_id": killed.name, "overrides": ["seed=0"], "status": "failed", "reason": "killed by signal 9"},
        {"run_id": "gone", "overrides": ["optimizer.lr=-1"], "status": "failed", "reason": "optimizer.lr=-1: no"},
    ]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    gone, run = read_runs([tmp_path])
    assert (run.status, run.reason, run.overrides) == ("failed", "killed by signal 9", ("seed=0",))
    assert (gone.status, gone.reason, gone.overrides) == ("failed", "optimizer.lr=-1: no", ("optimizer.lr=-1",))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"jobs": 3}', '{"jobs": [{}]}'])
def test_a_damaged_sweep_file_hides_nothing(leave, tmp_path: Path, content: str) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    (tmp_path / "sweep" / "sweep.json").write_text(content)
    assert [run.status for run in read_runs([tmp_path])] == ["finished"]


def listed(folder: Path, *jobs: tuple[str, str | None, str]) -> None:
    """A ``sweep.json`` with the run ids, statuses and reasons of its jobs."""
    names = ("run_id", "status", "reason")
    content = {"jobs": [dict(zip(names, job, strict=True)) | {"overrides": ["seed=0"]} for job in jobs]}
    folder.mkdir(exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps(content))


def test_every_job_that_a_sweep_lists_is_shown(leave, tmp_path: Path) -> None:
    there = leave("Cosine", 0.1, 0, 0.5)
    bare = leave("Cosine", 0.1, 1, 0.6)
    (bare / "config.yaml").unlink()
    (tmp_path / "sweep" / "empty").mkdir()
    jobs = [(there.name, "finished", ""), (bare.name, "finished", ""), ("empty", None, ""), ("later", None, "")]
    listed(tmp_path / "sweep", *jobs, ("lost", "finished", ""), ("untold", "stopped", "was not begun"))
    found = {run.path.name: (run.status, run.reason) for run in read_runs([tmp_path])}
    assert found == {
        there.name: ("finished", ""),
        bare.name: ("broken", "config.yaml is not there"),
        "empty": ("waiting", "not begun yet"),
        "later": ("waiting", "not begun yet"),
        "lost": ("missing", "the sweep says finished, and there is no run"),
        "untold": ("stopped", "was not begun"),
    }


def test_a_sweep_over_runs_that_lie_beside_it_is_followed_to_them_and_no_further(leave, tmp_path: Path) -> None:
    one = leave("Cosine", 0.1, 0, 0.5, under="outputs")
    far = leave("Cosine", 0.1, 1, 0.6, under="elsewhere")
    (tmp_path / "outputs" / "link").symlink_to(leave("Cosine", 0.1, 2, 0.7, under="elsewhere"))
    away = f"../../elsewhere/{far.name}"
    jobs = [(f"../{one.name}", "finished", ""), (away, "finished", ""), ("../link", "finished", ""), ("..", None, "")]
    sweep = tmp_path / "outputs" / "s"
    listed(sweep, *jobs)
    found = {run.path.name: run for run in read_runs([sweep])}
    assert (found[one.name].status, found[one.name].overrides) == ("finished", ("seed=0",))
    assert {name for name, run in found.items() if run.config} == {one.name}
    assert found[far.name].status == found["link"].status == "missing"
    assert "give its own path too" in found[far.name].reason
    both = {run.path.name: run for run in read_runs([tmp_path / "outputs", far])}
    assert (both[one.name].status, both[one.name].overrides) == ("finished", ("seed=0",))  # once, with what is known
    assert both[far.name].metrics == {"val/loss": 0.6}


@pytest.mark.parametrize(
    ("job", "result", "expected"),
    [
        (("failed", "timed out after 3 s"), ("stopped", "stopped by SIGTERM"), ("failed", "timed out after 3 s")),
        (("stopped", "ranked 3 of 9 at step 6"), ("stopped", "paused at 6"), ("stopped", "ranked 3 of 9 at step 6")),
        (("failed", "killed by signal 9"), ("finished", ""), ("finished", "")),
        (("stopped", "was not begun"), ("failed", "NotFinite: step 3"), ("failed", "NotFinite: step 3")),
        ((None, ""), ("failed", "OSError: full"), ("failed", "OSError: full")),
        (("finished", ""), None, ("unfinished", "it is running, or was killed")),
    ],
)
def test_the_sweep_speaks_last_of_what_did_not_finish(leave, tmp_path: Path, job, result, expected) -> None:
    status, reason = result or (None, "")
    run = leave("Cosine", 0.1, 0, status=status, reason=reason, metrics={})
    listed(tmp_path / "sweep", (run.name, *job))
    (found,) = read_runs([tmp_path])
    assert (found.status, found.reason) == expected
    assert found.end == ("diverged" if expected[1].startswith("NotFinite") else expected[0])


@pytest.mark.parametrize(
    ("result", "job", "end", "dropped"),
    [
        (("failed", "diverged", None), None, "diverged", False),
        (("failed", "error", None), None, "failed", False),
        (("stopped", "paused", None), ("stopped", "paused", "dropped"), "stopped", True),
        (("stopped", "paused", None), ("stopped", "paused", "paused"), "stopped", False),
        (("failed", "diverged", None), ("stopped", None, "not_begun"), "diverged", False),
        (("stopped", "signal", None), ("failed", "diverged", None), "diverged", False),
        (None, ("failed", "diverged", None), "diverged", False),
    ],
)
def test_fields_say_how_a_run_ended_and_no_words_do(leave, tmp_path: Path, result, job, end: str, dropped) -> None:
    said = [dict(zip(("status", "ended", "why"), fields, strict=True)) for fields in (result, job) if fields]
    for words in ("NotFinite: step 3", "ranked 2 of 3", "was not begun", "paused at 6", "0" * 64):
        run = leave("Cosine", 0.1, 0, 0.5, status="failed" if result else None, under=words.replace(" ", ""))
        if result:
            content = json.loads((run / "result.json").read_text("utf-8"))
            (run / "result.json").write_text(json.dumps({**content, **said[0], "reason": words}))
        if job:
            jobs = [{"run_id": run.name, "overrides": [], "reason": words, **said[-1]}]
            (run.parent / "sweep.json").write_text(json.dumps({"jobs": jobs}))
        (found,) = read_runs([run.parent])
        assert (found.end, found.dropped) == (end, dropped), words


def test_a_config_that_the_run_was_not_made_with_is_told(leave, tmp_path: Path) -> None:
    for seed, changes in enumerate(({}, {"optimizer__lr": 0.2}, {"device": "cpu"}, {"scheduler__to": "${seed}"})):
        run = leave("Cosine", 0.1, seed, 0.5)
        result = json.loads((run / "result.json").read_text())
        kept = {key: value for key, value in config(seed=seed).items() if key not in ("name", "device", "checkpoint")}
        kept["dataset"].pop("root")
        kept["trainer"].pop("progress")
        digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
        (run / "result.json").write_text(json.dumps({**result, "config_sha256": digest}))
        (run / "config.yaml").write_text(yaml.safe_dump(config(seed=seed, **changes)))
    runs = read_runs([tmp_path])
    assert [run.status for run in runs] == ["finished", "broken", "finished", "finished"]
    assert runs[1].reason == "config.yaml is not the one that the run was made with: it was changed by hand"


def test_a_path_without_runs_names_the_nearest(leave, tmp_path: Path) -> None:
    run = leave("Cosine", 0.1, 0, 0.5)
    with pytest.raises(ConfigError, match=r"swep: there is no such folder; did you mean 'sweep'\?"):
        read_runs([tmp_path / "swep"])
    (run / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match=f"there is no run in it; did you mean '{run}'"):
        read_runs([run / "checkpoints"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="there is no run in it; give outputs/NAME"):
        read_runs([tmp_path / "sweep", tmp_path / "empty"])
