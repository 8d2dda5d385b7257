"""A project that ``lrsched new`` makes runs at once, and its configs and classes are found from its folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrsched.cli.main import main
from lrsched.cli.new import begin
from lrsched.records import RunFolder
from lrsched.schemas.files import files_in
from tests.helpers.compare_runs import differences
from tests.helpers.json_schema import complaints, read_yaml
from tests.test_wheel import call, installed, wheel  # noqa: F401  (fixtures)

RUN = ("experiment=spirals", "trainer.steps=2", "logger=none", "threads=1", "trainer.progress=false")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli) -> Iterator[Path]:
    """A new project, which ``run_cli`` is in; this process has not imported it."""
    place = tmp_path / "whirl-pools"
    begin(place)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    yield place
    for name in [name for name in sys.modules if name.partition(".")[0] == "whirl_pools"]:
        del sys.modules[name]


def test_its_files_carry_its_name(project: Path) -> None:
    files = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert {"train.py", "pyproject.toml", ".gitignore", "whirl_pools/wide.py", "conf/model/wide.yaml"} < files
    assert not [name for name in files if "my_project" in (project / name).read_text("utf-8") or name.endswith(".in")]
    assert sorted(path.name for path in project.parent.iterdir()) == ["whirl-pools"]


def test_a_run_finds_its_configs_and_classes_without_a_flag(project: Path, run_cli) -> None:
    ended = run_cli(*RUN, "name=run")
    assert ended.code == 0, ended.err
    result = RunFolder(project / "outputs" / "run").read_result() or {}
    assert result["better"] == {"loss": "min", "accuracy": "max", "confident": "max"}
    assert {"test/confident", "test/accuracy"} < set(result["metrics"])
    drawn = run_cli(*RUN[:2], command="preview")
    assert drawn.code == 0, drawn.err
    assert "steps: part 2" in drawn.out


def test_a_schedule_of_its_own_falls_by_half_in_each_part(project: Path, run_cli) -> None:
    words = ("experiment=spirals", "trainer.steps=8", "optimizer.lr=0.8", "scheduler.warmup=0st")
    drawn = run_cli(*words, "--csv", "rates.csv", command="preview")
    assert drawn.code == 0, drawn.err
    rates = [float(line.split(",")[-1]) for line in Path("rates.csv").read_text().splitlines()[1:9]]
    assert rates == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1])


@pytest.mark.parametrize("command", ["train", "preview"])
def test_a_choice_that_lrsched_has_itself_is_refused(project: Path, run_cli, command: str) -> None:
    own = project / "conf/scheduler/cosine.yaml"
    own.write_text("_target_: whirl_pools.steps.Steps\n")
    ended = run_cli("scheduler=cosine", command=command)
    assert ended.code == 2
    assert "conf/scheduler/cosine.yaml" in ended.err
    assert "give it another name" in ended.err
    assert not Path("outputs").exists()


def test_a_copy_of_a_choice_is_no_other(project: Path, run_cli) -> None:
    ours = Path(__file__).resolve().parents[2] / "conf/scheduler/cosine.yaml"
    (project / "conf/scheduler/cosine.yaml").write_bytes(ours.read_bytes())
    assert run_cli("scheduler=cosine", command="preview").code == 0


def test_a_folder_that_is_named_is_taken_instead(project: Path, run_cli) -> None:
    (project / "other").mkdir()
    ended = run_cli("experiment=spirals", "--config-dir", "other")
    assert ended.code == 2
    assert "spirals" in ended.err


@pytest.mark.parametrize("command", ["report", "check"])
def test_a_command_that_builds_nothing_runs_nothing_of_the_folder(project: Path, run_cli, command: str) -> None:
    before = list(sys.path)
    assert run_cli("outputs/none", command=command).code == 2
    assert sys.path == before


def test_the_empty_folder_that_one_is_in_becomes_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "swirl"
    here.mkdir()
    monkeypatch.chdir(here)
    begin(Path("."))
    assert (Path.cwd() / "swirl" / "wide.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["swirl"]


BAD = {
    "__main__": "there is a module __main__ already",
    "class": "letters, digits and _",
    "1x": "letters, digits and _",
    "a b": "letters, digits and _",
    "überall": "letters, digits and _",
    "torch": "there is a module torch already",
    "tests": "there is a module tests already",
    "file": "is a file",
    "file/new": "cannot be made",
    "full": "is not empty",
    "link": "is a file",
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_a_project_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all of it")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "link").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        main(["new", name])
    said = capsys.readouterr()
    assert ended.value.code == (6 if name == "file/new" else 2)
    assert BAD[name] in said.err
    assert said.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lrsched.cli import new

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(new, "write_atomically", full)
    with pytest.raises(Exception, match="No space left"):
        begin(tmp_path / "thing")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_from_a_wheel_it_is_installed_trained_swept_and_tested(installed: Path, tmp_path: Path) -> None:  # noqa: F811
    call(installed / "lrsched", "new", "whirl-pools", cwd=tmp_path)
    place = tmp_path / "whirl-pools"
    for file in files_in(place / "conf"):  # and an editor knows all of it
        found = complaints(read_yaml(file.text), f"{file.schema}.json", place / "conf/.schemas")
        assert (file.lined(), found) == (file.text, [])
    assert '"whirl_pools.wide.Wide": {' in (place / "conf/.schemas/model.json").read_text("utf-8")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        installed / "python",
        "install",
        "-q",
        "--disable-pip-version-check",
    )
    call(*pip, "--no-deps", "--no-index", "--no-build-isolation", "-e", place, cwd=place)
    python, short = installed / "python", ("trainer.epochs=2", "threads=1", "trainer.progress=false")
    call(python, "train.py", "trainer.epochs=1", "name=digits", cwd=place)
    call(python, "train.py", "experiment=spirals", *short, "name=run", cwd=place)
    call(python, "train.py", "experiment=spirals", *short, "name=sweep", "-m", "scheduler=cosine,steps", cwd=place)
    assert "steps" in call(installed / "lrsched", "report", "outputs/sweep", cwd=place).lower()
    call(python, "train.py", "experiment=spirals", *short, "name=again", cwd=place)
    assert differences(*(RunFolder(place / "outputs" / name) for name in ("run", "again"))) == []
    assert "2 passed" in call(python, "-m", "pytest", "-p", "no:cacheprovider", "-n0", cwd=place)
