"""TAB: commands, flags, choices, keys and values; in a real bash and a real zsh."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrsched.cli.completion import SCRIPTS
from lrsched.cli.main import COMMANDS, train
from lrsched.cli.replies import as_typed, replies
from lrsched.compose.choices import choices_in
from lrsched.compose.hydra_setup import register

ROOT = Path(__file__).resolve().parents[2]
SCHEDULERS = {f"scheduler={name}" for name in choices_in(ROOT / "conf/scheduler")}


def offered(line: str, commands: object = COMMANDS) -> list[str]:
    register()
    return replies(line, train, list(commands))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lrsched ", [*COMMANDS, "--help"]),
        ("lrsched tr", ["train"]),
        ("lrsched nope ", []),
        ("lrsched completion ", ["bash", "zsh"]),
        ("lrsched report --mo", ["--mode"]),
        ("lrsched report --mode m", ["min", "max"]),
        ("lrsched report outputs/a ", []),  # paths: the shell's own
        ("lrsched schema --l", ["--lines"]),
        ("lrsched evaluate outputs/a --part ", ["test", "val"]),
        ("lrsched train --he", ["--help", "--help=all"]),
        ("lrsched train --cfg j", ["job"]),
        ("lrsched train --config-dir ", []),
        ("lrsched preview --p", ["--png"]),
        ("lrsched find method=", ["method=horizon", "method=range", "method=grid"]),
        ("lrsched find find.sh", ["find.shape="]),
        ("lrsched train scheduler=on", ["scheduler=onecycle"]),
        ("lrsched find scheduler=on", ["scheduler=onecycle"]),
        ("lrsched train scheduler=torch/St", ["scheduler=torch/StepLR"]),
        ("lrsched train -m scheduler=cosine,on", ["scheduler=cosine,onecycle"]),
        ("lrsched train logger=[csv,tens", ["logger=[csv,tensorboard"]),
        ("lrsched train +experiment=mnist_c", ["+experiment=mnist_cnn"]),
        ("lrsched train trainer.precision=b", ["trainer.precision=bf16"]),
        ("lrsched train trainer.deterministic=", ["trainer.deterministic=true", "trainer.deterministic=false"]),
        ("lrsched train optimizer=sgd optimizer.nesterov=t", ["optimizer.nesterov=true"]),
        ("lrsched train scheduler=piecewise scheduler.shape=l", ["scheduler.shape=linear"]),
        ("lrsched train seed=", ["seed=0"]),
        ("lrsched train trainer.ep", ["trainer.epochs="]),
        ("lrsched train sched", ["scheduler.", "scheduler="]),
        ("lrsched train scheduler=step scheduler.ev", ["scheduler.every="]),
        ("lrsched train 'a", []),
        ("", [*COMMANDS, "--help"]),
    ],
)
def test_what_may_stand_there(line: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_LINE", line)
    assert sorted(offered(line)) == sorted(expected)


def test_train_py_completes_overrides_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(offered("python train.py scheduler=", ())) == SCHEDULERS
    assert offered("python3 ../train.py seed=1 -m scheduler=on", ()) == ["scheduler=onecycle"]


def test_paths_are_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs/first").mkdir(parents=True)
    (tmp_path / "outputs/file.csv").touch()
    assert offered("lrsched train resume=ou") == ["resume=outputs/"]
    assert offered("lrsched train resume=outputs/f") == ["resume=outputs/file.csv", "resume=outputs/first/"]
    assert offered("lrsched train dataset=table dataset.path=outputs/fi") == [
        "dataset.path=outputs/file.csv",
        "dataset.path=outputs/first/",
    ]
    assert offered("lrsched train resume=nowhere/") == []


def test_names_of_ones_own_are_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine/scheduler").mkdir(parents=True)
    (tmp_path / "mine/scheduler/zigzag.yaml").write_text("_target_: lrsched.schedules.Cosine\n")
    assert offered("lrsched train --config-dir mine scheduler=z") == ["scheduler=zigzag"]
    (tmp_path / "conf").symlink_to("mine")
    (tmp_path / "pyproject.toml").write_text("[tool.lrsched]\ntrust = []\n")
    assert offered("lrsched preview scheduler=z") == ["scheduler=zigzag"]


@pytest.mark.parametrize(
    ("name", "typed", "inserted"),
    [
        ("a b", "a", r"a\ b/"),
        ("a b c", r"a\ b", r"a\ b\ c/"),
        ("a*b?", "a", r"a\*b\?/"),
        ("-x", "", "-x/"),
        ("a|touch b", "a", r"a\|touch\ b/"),
        ("$a", "", r"\$a/"),
        ("a\nb", "a", None),  # on no line
        ("a\x1b[2J", "a", None),
        ("$(touch b)", "", None),  # these an override does not take as they are
        ("a`touch b`", "a", None),
        ("a;b", "a", None),
        ("a,b", "a", None),
        ("${seed}", "", None),
        ("a b", "'a", None),  # the shell's own files, then: it knows what its quotes hold
        ("a b", '"a', None),
        ("$HOME", "$HO", None),
    ],
)
def test_a_name_is_quoted_or_left_out(
    name: str, typed: str, inserted: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / name).mkdir(parents=True)
    line = f"lrsched train resume=runs/{typed}"
    found = offered(line)
    assert (as_typed(line, found) if found else []) == ([] if inserted is None else [f"resume=runs/{inserted}"])


def test_a_choice_is_quoted_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my conf/scheduler").mkdir(parents=True)
    for name in ("z a", "z$(touch b)", "z`touch b`", "z*", "z|b"):
        (tmp_path / f"my conf/scheduler/{name}.yaml").touch()
    line = "lrsched train --config-dir my\\ conf scheduler=z"
    assert sorted(as_typed(line, offered(line))) == [r"scheduler=z\ a", r"scheduler=z\*", r"scheduler=z\|b"]


@pytest.mark.parametrize("word", ["-u", "-c", "-i", "-", "-m", "pipe", "nothing", "folder", "--", "*", ""])
@pytest.mark.parametrize("shell", SCRIPTS)
def test_tab_behind_python_reads_no_stdin_and_no_pipe(shell: str, word: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    words = f"words=(python {word!r} x); CURRENT=3; COMP_WORDS=(python {word!r} x); COMP_LINE='python x'; COMP_POINT=8"
    known = "compdef() { :; }; complete() { :; }; _files() { :; }"
    begun = ["--norc", "--noprofile"] if shell == "bash" else ["-f"]
    reader, writer = os.pipe()  # a terminal at which nobody types
    try:
        ended = subprocess.run(
            [shell, *begun, "-c", f"{known}\n{SCRIPTS[shell]}\n{words}\n_lrsched_completion\necho done"],
            stdin=reader,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert (ended.stdout, ended.stderr) == ("done\n", "")


@pytest.mark.parametrize(
    ("words", "code"), [(("bash",), 0), (("zsh",), 0), (("fish",), 2), ((), 2), (("bash", "zsh"), 2)]
)
def test_the_script_of_a_shell(run_cli, words: list[str], code: int) -> None:
    ended = run_cli(*words, command="completion")
    assert ended.code == code
    assert ("_lrsched_completion" in ended.out) == (code == 0)
    assert ended.err.count("\n") == (code != 0)


def test_hydras_flag_prints_the_same_script(run_cli) -> None:
    assert run_cli("-sc", "install=bash").out == run_cli("bash", command="completion").out


class Terminal:
    """A shell with a terminal, in which ``lrsched`` and ``python`` are those of this tree."""

    def __init__(self, shell: str, words: list[str], place: Path) -> None:
        self.file, inner = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "PS1": "$ ", "HOME": str(place)}
        self.process = subprocess.Popen(
            [shell, *words],
            cwd=place,
            env=environment,
            start_new_session=True,
            stdin=inner,
            stdout=inner,
            stderr=inner,
        )
        os.close(inner)
        self.text = ""
        name = Path(sys.executable).name
        self.type(f'lrsched() {{ "{sys.executable}" -m lrsched "$@"; }}; PATH="{Path(sys.executable).parent}:$PATH"\n')
        self.type(f'{name} -c 0; eval "$(lrsched completion {shell})"; echo re""ady\n')
        self.wait("ready")

    def type(self, text: str) -> None:
        os.write(self.file, text.encode())

    def wait(self, words: str, seconds: float = 60) -> None:
        """Read until some words have appeared."""
        begun, until = len(self.text), time.monotonic() + seconds
        while words not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x07\x08]", "", self.text[begun:]):
            assert time.monotonic() < until, f"{words!r} not in {self.text[begun:]!r}"
            if select.select([self.file], [], [], 0.1)[0]:
                self.text += os.read(self.file, 65536).decode(errors="replace")

    def close(self) -> None:
        os.close(self.file)
        self.process.kill()
        self.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(("shell", "words"), [("bash", ["--norc", "--noprofile", "-i"]), ("zsh", ["-f", "-i"])])
def test_a_real_shell_completes(shell: str, words: list[str], tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / "train.py").write_text(
        "from lrsched.cli.main import main\nimport sys\nmain(['train', *sys.argv[1:]])\n"
    )
    for name in ("b c", "d*e", "f|touch was_run", "g$(touch was_run)", "h;touch was_run"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "other.py").write_text("import lrsched, pathlib\npathlib.Path('was_run').touch()\n")
    terminal = Terminal(shell, words, tmp_path)
    try:
        for typed, shown in {
            "lrsched prev\t": "preview ",
            "lrsched train scheduler=onec\t": "scheduler=onecycle ",
            "python train.py trainer.precision=bf\t": "trainer.precision=bf16 ",
            "lrsched train -m scheduler=cosine,torch/Step\t": "scheduler=cosine,torch/StepLR ",
            "lrsched train resume=runs/b\t": r"resume=runs/b\ c/",
            "lrsched train resume=runs/b\\ \t": r"resume=runs/b\ c/",
            "lrsched train resume=runs/d\t": r"resume=runs/d\*e/",
            "lrsched train resume=runs/f\t": r"resume=runs/f\|touch\ was_run/",
            "lrsched train resume=runs/g\t": r"resume=runs/g\$\(touch\ was_run\)/",  # the shell's own, as those below
            "lrsched train resume=runs/h\t": r"resume=runs/h\;touch\ was_run/",
            "python -u oth\t": "python -u other.py ",
        }.items():
            terminal.type(typed)
            terminal.wait(shown)
            terminal.type("\x15\n")
        terminal.type("python other.py oth\t")
        terminal.wait("other.py other.py")
        terminal.type('\x15echo do""ne\n')
        terminal.wait("done")
        assert not (tmp_path / "was_run").exists()  # TAB runs no script but one of ours
    finally:
        terminal.close()
