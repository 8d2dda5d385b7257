"""How a run ended is a field; of files of 0.1.0, which had none, the words that it used say it."""

from __future__ import annotations

import pytest

from lrsched.ended import Ended, Ending, Why, ended_by, ending_of
from lrsched.errors import Abandoned, CheckpointError, ConfigError, NotBegun, NotFinite, Stopped


@pytest.mark.parametrize(
    ("status", "reason", "ending"),
    [
        (None, "", (None, None)),
        ("finished", "", ("finished", None)),
        ("finished", "all 12 steps are done", ("finished", None)),
        ("finished", "early stop: val/loss has not improved for 2 evaluations", ("early", None)),
        ("skipped", "", (None, None)),
        ("stopped", "stopped by SIGTERM", ("signal", None)),
        ("stopped", "paused at step 5 of 12", ("paused", "paused")),
        ("stopped", "ranked 4 of 4 at step 6", ("paused", "dropped")),
        ("stopped", "was not begun", (None, "not_begun")),
        ("stopped", "was not begun: sweep.fail_fast", (None, "not_begun")),
        ("stopped", "left under way: process 7 on here writes to it", (None, None)),
        ("stopped", "left at step 6", (None, None)),
        ("failed", "NotFinite: step 7: the training loss is nan", ("diverged", None)),
        ("failed", "ValueError: NotFinite", ("error", None)),
        ("failed", "timed out after 3 s", ("error", None)),
    ],
)
def test_the_words_of_0_1_0(status: str | None, reason: str, ending: tuple[str | None, str | None]) -> None:
    assert ending_of({"status": status, "reason": reason}) == ending


def test_where_there_are_fields_no_word_is_read() -> None:
    words = {"status": "failed", "reason": "NotFinite: paused at step 1"}
    assert ending_of({**words, "ended": "error"}) == Ending(Ended.ERROR)
    assert ending_of({**words, "ended": "paused", "why": "dropped"}) == Ending(Ended.PAUSED, Why.DROPPED)
    assert ending_of({**words, "ended": None, "why": None}) == Ending(None)
    assert ending_of({**words, "ended": "exploded", "why": ["x"]}) == Ending(None)


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (NotFinite("the training loss is nan"), Ended.DIVERGED),
        (Stopped(15, "stopped by SIGTERM"), Ended.SIGNAL),
        (NotBegun("was not begun"), None),
        (Abandoned("left at step 3"), None),
        (CheckpointError("damaged"), Ended.ERROR),
        (ConfigError("seed", -1, "must be at least 0"), Ended.ERROR),
        (KeyError("bug"), Ended.ERROR),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_end_that_an_error_means(error: BaseException, ended: Ended | None) -> None:
    assert ended_by(error) is ended


def test_each_end_has_one_status() -> None:
    assert {ended.value: ended.status for ended in Ended} == {
        "finished": "finished",
        "early": "finished",
        "paused": "stopped",
        "signal": "stopped",
        "diverged": "failed",
        "error": "failed",
    }
