"""``--help`` is one screen in sections; ``--help=all`` has every choice and every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lrsched.cli.help import SHOWN, screen
from lrsched.cli.main import COMMANDS
from lrsched.compose.choices import choices_in

CONF = Path(__file__).resolve().parents[2] / "conf"
SECTIONS = ["Run", "Choose (group=NAME; the default stands first)", "Set (key=value)", "Flags", "More"]


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("scheduler=step", "--help"), ("--help", "model=none")])
def test_a_run_is_explained_on_one_screen(run_cli, words: tuple[str, ...]) -> None:
    ended = run_cli(*words)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert [line for line in lines[1:] if line[0] != " "] == SECTIONS
    assert not list(ended.cwd.iterdir())


def test_each_group_begins_with_its_default_and_names_what_there_is(run_cli) -> None:
    lines = dict(line.split(maxsplit=1) for line in run_cli("--help").out.splitlines() if line.startswith("  "))
    config = yaml.safe_load((CONF / "config.yaml").read_text("utf-8"))
    defaults = {group: name for entry in config["defaults"] if isinstance(entry, dict) for group, name in entry.items()}
    for group in SHOWN:
        words, _, count = lines[group].partition(", … ")
        names = words.split(", ")
        there = choices_in(CONF / group)
        assert set(names) <= there
        assert len(set(names)) == len(names)
        assert count == (f"({len(there)})" if len(names) < len(there) else "")
        chosen = defaults[group]
        assert chosen is None or names[0] == (chosen[0] if isinstance(chosen, list) else chosen)


def test_names_of_ones_own_stand_behind_the_default() -> None:
    ours = {group: sorted(choices_in(CONF / group)) for group in SHOWN}
    found = {**ours, "scheduler": [*ours["scheduler"], "zigzag"]}
    line = next(line for line in screen(ours, found, "x").splitlines() if line.startswith("  scheduler "))
    assert line.split()[1:3] == ["cosine,", "zigzag,"]


def test_help_all_has_every_choice_and_every_key(run_cli) -> None:
    ended = run_cli("--help=all", "scheduler=step", "seed=7")
    assert (ended.code, ended.err) == (0, "")
    choices, _, rest = ended.out.partition("== The config as it would run")
    names = set(re.split(r"[\s,:]+", choices))
    assert {path.removeprefix("scheduler/") for path in choices_in(CONF) if path.startswith("scheduler/")} <= names
    assert all(f"\n{key}:" in rest for key in ("seed", "trainer", "checkpoint", "sweep", "scheduler", "optimizer"))
    assert "seed: 7" in rest
    assert "_target_: lrsched.schedules.Step\n" in rest


@pytest.mark.parametrize("word", ["--help=most", "--help="])
def test_another_help_is_refused(run_cli, word: str) -> None:
    ended = run_cli(word)
    assert ended.code == 2
    assert "--help=all shows every key" in ended.err


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("train", "new")])
def test_a_command_says_first_what_is_needed_first(run_cli, command: str) -> None:
    short, whole = run_cli("--help", command=command), run_cli("--help=all", command=command)
    assert (short.code, whole.code) == (0, 0)
    assert len(short.out.splitlines()) <= 30
    titles = [line for line in short.out.splitlines()[1:] if line[0] != " "]
    assert titles == [title for title in ("Run", "Examples", "Give", "Flags") if title in titles]
    assert {"Run", "Give", "Flags"} <= set(titles)
    assert whole.out.startswith(short.out)
    assert whole.out[len(short.out) :].startswith("More\n")


def test_the_commands_are_listed_in_columns(run_cli) -> None:
    lines = run_cli(command="--help").out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  lrsched ")][: len(COMMANDS)] == list(COMMANDS)
    assert max(map(len, lines)) <= 100
