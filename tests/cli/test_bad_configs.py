"""A config that cannot be used: exit code 2, one paragraph that names the key, and nothing left behind (G11)."""

from __future__ import annotations

import time

import pytest

from tests.cli.bad_configs import CASES, CONTRADICTIONS, HUGE, MISSING, PLACES, RANGES, SYNTAX, TYPES, UNKNOWN
from tests.helpers.cli import TINY, Ended

# A preview builds no optimizer, model or data set, so it does not see what only these would complain of.
SEEN_BY_A_PREVIEW = (
    *TYPES[:14:2],
    *UNKNOWN[:4],
    *RANGES[26:29],
    CONTRADICTIONS[0],
    *HUGE[:4],
    *HUGE[7:9],
    *MISSING[:4],
    *SYNTAX[:3],
)


def _name(case: tuple[str, ...]) -> str:
    return ascii(" ".join(case[:-1]))[1:60]


def assert_one_message(ended: Ended, words: str) -> None:
    assert ended.code == 2, ended.out + ended.err
    assert ended.err.startswith("lrsched: ")
    assert ended.err.endswith("\n")
    assert ended.err[:-1].isprintable(), ended.err  # one line: no traceback, no warning, no escape sequence
    assert words in ended.err
    assert not list(ended.cwd.iterdir())


def test_there_are_as_many_as_promised_and_no_two_alike() -> None:
    assert len({case[:-1] for case in CASES}) == len(CASES) >= 120
    floors = {30: TYPES, 20: UNKNOWN, 25: RANGES, 21: CONTRADICTIONS, 5: HUGE, 10: PLACES, 11: MISSING, 12: SYNTAX}
    assert all(len(cases) >= floor for floor, cases in floors.items())


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_bad_config_is_one_message_and_leaves_nothing(run_cli, case: tuple[str, ...]) -> None:
    began = time.monotonic()
    ended = run_cli(*TINY, *case[:-1])
    assert time.monotonic() - began < 5
    assert_one_message(ended, case[-1])


@pytest.mark.parametrize("case", SEEN_BY_A_PREVIEW, ids=_name)
def test_a_preview_refuses_it_too(run_cli, case: tuple[str, ...]) -> None:
    assert_one_message(run_cli(*TINY, *case[:-1], command="preview"), "lrsched: ")
