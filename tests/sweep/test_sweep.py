"""A sweep: a folder a run, by readable ids; what is finished is not run again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lrsched.config.digest import config_sha256
from lrsched.config.run_id import readable
from lrsched.records import NAME
from lrsched.sweep.record import Entry, Record
from tests.helpers.cli import TINY
from tests.helpers.readers import train_into


def test_a_sweep_makes_a_run_of_each_choice_in_its_own_folder(run_cli) -> None:
    ended = run_cli("-m", "scheduler=cosine,step,onecycle", *TINY, "name=sweep")
    assert ended.code == 0, ended.err
    folders = sorted(path.name for path in (ended.cwd / "outputs" / "sweep").iterdir() if path.is_dir())
    assert len(folders) == 3
    assert all(NAME.fullmatch(name) and re.search(r"-[0-9a-f]{8}$", name) for name in folders)
    assert [re.search(r"scheduler-([a-z]+)", name)[1] for name in folders] == ["cosine", "onecycle", "step"]  # type: ignore[index]
    results = [ended.result(f"sweep/{name}") for name in folders]
    assert {result["status"] for result in results} == {"finished"}
    assert len({result["weights_sha256"] for result in results}) == 3


def test_the_same_command_again_runs_nothing_twice(run_cli) -> None:
    command = ("-m", *TINY, "name=sweep", "seed=0,1")
    first = run_cli(*command)
    before = {path: path.stat().st_mtime_ns for path in first.cwd.rglob("result.json")}
    again = run_cli(*command)
    assert again.code == 0
    assert len(before) == 2
    assert "2 runs in outputs/sweep, 2 of them finished before" in again.err
    assert {path: path.stat().st_mtime_ns for path in first.cwd.rglob("result.json")} == before


def test_a_run_is_found_again_by_its_config_whatever_the_command_was(run_cli) -> None:
    first = run_cli("-m", *TINY, "name=sweep", "scheduler=cosine,step", "seed=0")
    before = {path: path.stat().st_mtime_ns for path in first.cwd.rglob("result.json")}
    assert len(before) == 2
    more = run_cli("-m", "seed=1,0", "scheduler=step,cosine", *TINY, "name=sweep")
    assert more.code == 0, more.err
    assert "4 runs in outputs/sweep, 2 of them finished before" in more.err
    assert len(list(more.cwd.rglob("result.json"))) == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_that_only_looks_like_that_of_a_run_is_not_taken_for_it(run_cli) -> None:
    run_cli("-m", *TINY, "name=sweep", "seed=0")
    (folder,) = [path for path in Path("outputs/sweep").iterdir() if path.is_dir()]
    other = folder.with_name(f"other-{folder.name[-8:]}")
    config = (folder / "config.yaml").read_text()
    folder.rename(other)
    (other / "config.yaml").write_text(config.replace("seed: 0", "seed: 1"))  # eight digits may be equal by chance
    again = run_cli("-m", *TINY, "name=sweep", "seed=0")
    assert again.code == 0, again.err
    assert folder.is_dir()


def test_a_folder_with_another_run_is_no_fault_of_the_config(run_cli) -> None:
    assert run_cli("-m", *TINY, "name=sweep", "seed=0,1").code == 0
    folder = next(path for path in Path("outputs/sweep").iterdir() if path.name.startswith("seed-0"))
    assert run_cli(f"resume={folder}", "trainer.epochs=3", "trainer.on_extend=keep").code == 0
    ended = run_cli("-m", *TINY, "name=sweep", "seed=0,1")
    assert ended.code == 1
    told = (
        "2 runs in outputs/sweep, 1 of them finished before, 1 of them cannot be begun, as said above; the others run"
    )
    assert told in ended.err
    assert f"{folder} holds a run whose config differs from its name" in ended.err


@pytest.mark.parametrize("how", ["damaged", "a link"])
def test_a_record_that_cannot_be_read_is_told_of(run_cli, how: str) -> None:
    sweep = ("-m", *TINY, "logger=none", "trainer.epochs=1", "name=sweep")
    assert run_cli(*sweep, "seed=0").code == 0
    file = Path("outputs/sweep/sweep.json")
    if how == "damaged":
        file.write_text('{"jobs": [')
    else:
        file.rename("elsewhere.json")
        file.symlink_to(Path("elsewhere.json").absolute())
        before = Path("elsewhere.json").read_bytes()
    ended = run_cli(*sweep, "seed=1")
    assert ended.code == 0
    why = "cannot be read" if how == "damaged" else "is a link, and links are not followed"
    told = f"warning: outputs/sweep/sweep.json {why}: it is written anew, without the jobs of earlier commands"
    assert ended.err.count(told) == 1
    assert [job["overrides"][-1] for job in json.loads(file.read_text())["jobs"]] == ["seed=1"]
    if how == "a link":
        assert Path("elsewhere.json").read_bytes() == before


def test_the_same_command_again_reads_what_the_files_say_now(run_cli) -> None:
    command = ("-m", *TINY, "logger=none", "trainer.epochs=1", "name=sweep", "seed=0,1,2")
    assert run_cli(*command).code == 0
    folders = sorted(path for path in Path("outputs/sweep").iterdir() if path.is_dir())
    results = [path / "result.json" for path in folders]
    said = json.loads(results[0].read_text())
    results[0].write_text(json.dumps({**said, "metrics": {**said["metrics"], "val/loss": 123.25}}))
    results[1].write_bytes(b"\xef\xbb\xbf" + results[1].read_bytes())  # no JSON: the run is made again
    config = folders[2] / "config.yaml"
    config.write_text(config.read_text().replace("seed: 2", "seed: 3"))
    again = run_cli(*command)
    assert again.code == 1
    assert "3 runs in outputs/sweep, 2 of them finished before" in again.err
    assert json.loads(results[1].read_text())["status"] == "finished"
    rows = Path("outputs/sweep/sweep.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["finished", "finished", "broken"]
    assert rows[1].endswith(",123.25")
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == ["skipped", "finished", "failed"]
    assert "it was changed by hand" in jobs[2]["reason"]


def test_a_record_is_written_again_only_where_it_says_something_new(tmp_path: Path) -> None:
    record, file = Record(tmp_path), tmp_path / "sweep.json"
    record.entries.append(Entry("one", ["seed=0"]))
    record.write(unless_same=True)
    first = file.stat().st_ino
    record.write(unless_same=True)
    assert file.stat().st_ino == first
    record.entries[0].steps_trained = 3
    record.write(unless_same=True)
    assert json.loads(file.read_text())["steps_trained"] == 3
    record.probes.append(Entry("probe", [], steps_trained=4))
    record.write(unless_same=True)
    assert json.loads(file.read_text())["steps_trained"] == 7
    second = file.stat().st_ino
    record.write()
    assert file.stat().st_ino != second


def test_ids_begin_with_what_the_runs_differ_in(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "seed=0,1", "sweep.until=1")
    names = sorted(path.name for path in (ended.cwd / "outputs/sweep").iterdir() if path.is_dir())
    common = "dataset-synthetic_dataset.samples-120_dataset.classes-4_dataset.batch_size-16"[: 80 - len("seed-0_")]
    assert [re.sub("-[0-9a-f]{8}$", "", name) for name in names] == [
        f"seed-{seed}_{common.rpartition('_dataset')[0]}" for seed in (0, 1)
    ]


def test_when_all_is_finished_nothing_is_imported_for_it(run_cli, tmp_path: Path) -> None:
    sweep = ("-m", *TINY, "logger=none", "name=sweep", "seed=0,1")
    assert run_cli(*sweep).code == 0
    code = (
        "import sys; sys.argv[0] = 'lrsched'\n"
        "from lrsched.cli.main import main\n"
        "try: main()\n"
        "finally: print('TORCH' if 'torch' in sys.modules else 'FREE')"
    )
    command = [sys.executable, "-c", code, "train", *sweep]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert said.split()[-1] == "FREE"


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_steps_are_counted_under_every_launcher(run_cli, launcher: str) -> None:
    command = ("-m", *TINY, "name=sweep", "seed=0,1", "trainer.steps=5,12", f"hydra/launcher={launcher}")

    def steps() -> tuple[int, int]:
        record = json.loads(Path("outputs/sweep/sweep.json").read_text())
        return record["steps_asked"], record["steps_trained"]

    assert run_cli(*command, "sweep.until=8").code == 0
    assert steps() == (2 * (5 + 8), 2 * (5 + 8))
    assert run_cli(*command).code == 0
    assert steps() == (2 * (5 + 12), 2 * (5 + 12))  # of all commands together
    assert run_cli(*command, "trainer.steps=5").code == 0
    assert steps() == (2 * (5 + 12), 2 * (5 + 12))  # the others stay on record


@pytest.mark.parametrize("launcher", ["pool", "basic"])
def test_a_sweep_over_runs_that_lie_elsewhere_takes_each_further(run_cli, launcher: str) -> None:
    for name in ("one", "two"):
        assert run_cli(*TINY, f"name={name}", "threads=1").code == 0
    more = ("trainer.epochs=3", "trainer.on_extend=stretch", "sweep.jobs=1", f"hydra/launcher={launcher}")
    ended = run_cli("-m", "resume=outputs/one,outputs/two", *more, "name=further")
    assert ended.code == 0, ended.err
    assert [ended.result(name)["step"] for name in ("one", "two")] == [18, 18]
    record = json.loads(Path("outputs/further/sweep.json").read_text())
    assert [(job["run_id"], job["status"]) for job in record["jobs"]] == [
        ("../one", "finished"),
        ("../two", "finished"),
    ]
    assert record["steps_trained"] == 2 * 6


def test_a_run_is_made_once_however_often_it_is_asked_for(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "seed=0,0", "optimizer.lr=0.1,0.10,1e-1,0.2")
    assert ended.code == 0, ended.err
    assert "6 jobs of 8 would repeat the run of another job" in ended.err
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == ["finished"] * 2
    assert len([path for path in Path("outputs/sweep").iterdir() if path.is_dir()]) == 2


@pytest.mark.parametrize(
    "override",
    [
        "threads=1,2",
        "checkpoint.keep=1,2",
        "sweep.until=20,30",
        "sweep.share=true,false",
        "name=a,b",
        "logger=csv,none",
    ],
)
def test_what_makes_no_other_run_is_not_swept(run_cli, override: str) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "seed=0,1", override)
    assert ended.code == 2, ended.err
    assert f"{override}: this key changes no result of a run" in ended.err
    assert not Path("outputs").exists()


def test_a_run_is_not_taken_further_in_two_ways_at_once(run_cli) -> None:
    assert run_cli(*TINY, "name=one").code == 0
    ended = run_cli("-m", "resume=outputs/one", "trainer.epochs=3", "trainer.on_extend=stretch,restart", "name=further")
    assert ended.code == 2
    assert "resume=outputs/one: a sweep resumes a run only once; give two commands" in ended.err


def test_a_sweep_is_not_put_into_the_folder_of_a_run(run_cli) -> None:
    assert run_cli(*TINY, "name=one").code == 0
    before = sorted(path.name for path in Path("outputs/one").iterdir())
    ended = run_cli("-m", *TINY, "name=one", "seed=0,1")
    assert ended.code == 2
    assert "name=one: outputs/one holds a single run, not a sweep; give another name" in ended.err
    assert sorted(path.name for path in Path("outputs/one").iterdir()) == before


def test_a_finished_run_that_was_damaged_since_is_not_done(run_cli) -> None:
    command = ("-m", *TINY, "name=sweep", "seed=0,1")
    assert run_cli(*command).code == 0
    first, second = (Path("outputs/sweep", job["run_id"]) for job in record()["jobs"])
    (first / "config.yaml").write_text("seed: [")
    again = run_cli(*command)
    assert again.code == 1, again.err
    assert "1 of 2 runs did not finish" in again.err
    assert [job["status"] for job in record()["jobs"]] == ["failed", "skipped"]
    assert "config.yaml cannot be read" in record()["jobs"][0]["reason"]
    (second / "result.json").write_text('{"status": "finished"}')
    assert run_cli(*command).code == 1
    assert "holds a run whose config differs from its name" in record()["jobs"][1]["reason"]


def test_a_run_that_was_taken_further_is_no_run_of_the_sweep_any_more(run_cli) -> None:
    command = ("-m", *TINY, "name=sweep", "seed=0,1")
    assert run_cli(*command).code == 0
    run_id = record()["jobs"][0]["run_id"]
    further = (f"resume=outputs/sweep/{run_id}", "trainer.epochs=3", "trainer.on_extend=stretch")
    assert run_cli(*further).code == 0
    again = run_cli(*command)
    assert again.code == 1
    assert f"outputs/sweep/{run_id} holds a run whose config differs from its name" in again.err
    assert f"go on with it by resume=outputs/sweep/{run_id}, or move it away to make this one anew" in again.err
    told = "1 of 2 runs did not finish; the same command cannot help: the reason of each stands above"
    assert again.err.splitlines()[-1] == f"lrsched: {told}"
    assert again.result(f"sweep/{run_id}")["step"] == 18
    Path("outputs/sweep", run_id).rename("further")  # as the message says
    assert run_cli(*command).code == 0
    assert again.result(f"sweep/{run_id}")["step"] == 12


def record() -> dict[str, Any]:
    return json.loads(Path("outputs/sweep/sweep.json").read_text())


def test_one_failing_job_does_not_stop_the_others_and_the_sweep_ends_with_1(run_cli) -> None:
    ended = run_cli(
        "-m", *TINY, "name=sweep", "optimizer.lr=0.1,1e30,0.2", "optimizer.momentum=0", "optimizer.nesterov=false"
    )
    assert ended.code == 1
    statuses = {
        name.name: ended.result(f"sweep/{name.name}")["status"]
        for name in (ended.cwd / "outputs" / "sweep").iterdir()
        if name.is_dir()
    }
    assert sorted(statuses.values()) == ["failed", "finished", "finished"]


def test_a_sweep_of_a_choice_that_is_not_there_is_2(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "scheduler=cosin,stp")
    assert ended.code == 2
    assert "scheduler=cosin: there is no such choice" in ended.err


def test_a_config_that_cannot_be_used_is_said_before_the_others_run(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "trainer.epochs=1", "logger=none", "optimizer.lr=0.1,o.2")
    assert ended.code == 1
    said = ended.err.splitlines()
    first = next(place for place, line in enumerate(said) if "optimizer.lr=o.2: must be a number" in line)
    told = "2 runs in outputs/sweep, 1 of them with a config that cannot be used, as said above; the others run"
    began = next(place for place, line in enumerate(said) if told in line)
    done = next(place for place, line in enumerate(said) if line.endswith(": finished"))
    assert first < began < done


def test_a_sweep_of_which_every_job_is_invalid_is_2(run_cli) -> None:
    ended = run_cli("-m", *TINY, "name=sweep", "optimizer.lr=-1,-2")
    assert ended.code == 2
    assert ended.err.count("must be a finite number, at least 0") == 2
    assert "2 of 2 runs did not finish" in ended.err


def test_a_sweep_is_not_resumed_like_a_run(run_cli) -> None:
    run_cli("-m", *TINY, "name=sweep", "seed=0,1")
    ended = run_cli("resume=outputs/sweep")
    assert ended.code == 2
    assert (
        "resume=outputs/sweep: is a sweep, not a run; its runs are outputs/sweep/*/; -m again goes on with all"
        in ended.err
    )


def test_ids_are_readable_and_safe() -> None:
    assert readable(["optimizer.lr=1e+30"]) == "optimizer.lr-1e30"
    assert readable(["scheduler=torch/StepLR", "model.hidden=[64,32]", "seed=1"]) == (
        "scheduler-torch-StepLR_model.hidden-64-32_seed-1"
    )
    assert len(readable([f"optimizer.option{i}=1" for i in range(50)])) <= 80


@pytest.mark.parametrize("key", ["name", "resume", "device", "threads", "logger", "checkpoint"])
def test_what_does_not_change_the_result_does_not_change_the_hash(key: str) -> None:
    base = {"seed": 0, "dataset": {"root": "a", "batch_size": 2}, "trainer": {"progress": True}}
    assert config_sha256(base | {key: 1}) == config_sha256(base | {key: 2}) == config_sha256(base)
    moved = base | {"dataset": {"root": "b", "batch_size": 2}}
    assert config_sha256(moved) == config_sha256(base)
    assert config_sha256(base | {"seed": 1}) != config_sha256(base)


def test_a_sweep_whose_reader_has_gone_away_still_says_that_a_run_did_not_finish(tmp_path: Path) -> None:
    rates = ("optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=0.1,1e30")
    code, said = train_into(tmp_path, "true", "-m", *TINY, "logger=none", "name=sweep", *rates, streams="")
    assert code == 1, said
    assert "1 of 2 runs did not finish" in said
