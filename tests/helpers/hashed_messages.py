"""Replace every message of ours by its hash while the program runs: a program that branches on words then fails.

A pytest plugin: ``pytest -p tests.helpers.hashed_messages tests/sweep``. Code of ``lrsched`` reads and writes
``#0123456789abcdef#`` in place of the text of an error, of a ``reason``, of a warning or of what ``say`` prints; jobs
that are forked inherit it. A test, or pytest itself, reads the words again: from a file, an error, a record or what was
captured. What a process prints or shows in a table is where messages end, so that tests may find words there.
Programs that a test starts anew (``subprocess``) keep their words.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest

STORE = "LRSCHED_TEST_HASHES"
"""Variable that names the folder of the texts: a file for each hash, so that processes share them."""

FORM = re.compile("#([0-9a-f]{16})#")

SHOWN = ("lrsched.report.terminal", "lrsched.report.json")
"""Modules that show the reasons of a report's runs and decide nothing: they read words."""

_read_text = Path.read_text


def hashed(text: Any) -> Any:
    """The hash of a text, kept for :func:`words`; no text, or a hash, stays as it is."""
    if not isinstance(text, str) or not text or FORM.fullmatch(text):
        return text
    name = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]
    path = Path(os.environ[STORE], name)
    if not path.exists():
        half = path.with_name(f"{name}.{os.getpid()}")
        half.write_bytes(text.encode(errors="surrogatepass"))
        half.replace(path)
    return f"#{name}#"


def words(text: str) -> str:
    """A text with the words of every hash in it, also of those that stand in words."""
    if not FORM.search(text):
        return text

    def back(found: re.Match[str]) -> str:
        path = Path(os.environ[STORE], found[1])
        if not path.exists():
            return found[0]  # nobody's message
        return FORM.sub(back, path.read_bytes().decode(errors="surrogatepass"))

    try:
        json.loads(text)
    except ValueError:
        return FORM.sub(back, text)
    return FORM.sub(lambda found: json.dumps(back(found))[1:-1], text)


def _asks(depth: int = 2) -> str:
    """The module that called the function that asks."""
    return str(sys._getframe(depth).f_globals.get("__name__", ""))


def _is_test(module: str) -> bool:
    return module.startswith(("tests.", "_pytest.", "test_"))


def _change(record: Any) -> Any:
    """Hash the reasons and warnings in what is written as JSON, or read from it."""
    if isinstance(record, list):
        return [_change(item) for item in record]
    if not isinstance(record, dict):
        return record
    found = {key: _change(value) for key, value in record.items()}
    if "reason" in found:
        found["reason"] = hashed(found["reason"])
    if isinstance(found.get("warnings"), list):
        found["warnings"] = [hashed(item) for item in found["warnings"]]
    return found


def _change_said(record: Any) -> Any:
    """The same for what a test wrote into a file; a file of version 0.1.0, without ``ended``, keeps its words."""
    if isinstance(record, list):
        return [_change_said(item) for item in record]
    if not isinstance(record, dict):
        return record
    found = {key: _change_said(value) for key, value in record.items()}
    return _change(found) if "ended" in found else found


def _hash_errors() -> None:
    from lrsched import errors

    def birth(cls: Any, texts: tuple[str, ...]) -> None:
        """Hash the texts that an error of this class is made with; ``texts`` names its arguments in their order."""
        made = cls.__init__

        def init(self: Any, *args: Any, **named: Any) -> None:
            values = [hashed(a) if n < len(texts) and texts[n] else a for n, a in enumerate(args)]
            made(self, *values, **{name: hashed(a) if name in texts else a for name, a in named.items()})

        cls.__init__ = init

    def base(self: Any, *args: Any) -> None:
        Exception.__init__(self, *(args if len(args) != 1 else map(hashed, args)))

    errors.UserError.__init__ = base
    birth(errors.ConfigError, ("", "", "rule", "remedy"))
    birth(errors.NotFinite, ("what", "", "", "advice"))
    birth(errors.Stopped, ("", "message"))

    def shown(cls: Any) -> None:
        text = cls.__str__

        def said(self: Any) -> str:
            return words(text(self)) if _is_test(_asks()) else hashed(text(self))

        cls.__str__ = said

    for cls in (errors.UserError, errors.ConfigError, errors.NotFinite, errors.Stopped):
        shown(cls)


def _hash_prints() -> None:
    from lrsched import console

    say = console.say

    def hashing(message: str) -> None:
        with redirect_stderr(io.StringIO()) as said:
            say(words(message))
        print(f"lrsched: {hashed(said.getvalue().removeprefix('lrsched: ')[:-1])}", file=sys.stderr, flush=True)

    console.say = hashing


def _hash_records() -> None:
    from lrsched import records

    write = records.write_json

    def hashing(path: Path, content: Any, *args: Any, **named: Any) -> None:
        write(path, _change(content), *args, **named)

    records.write_json = hashing


def _hash_fields() -> None:
    """The fields ``reason`` of the classes that hold one."""
    from lrsched.report.runs import RunRecord
    from lrsched.sweep.record import Entry
    from lrsched.train.timetable import Outcome

    for cls in (Outcome, Entry, RunRecord):

        def get(self: Any) -> str:
            asks = _asks()
            return words(self.__dict__["reason"]) if _is_test(asks) or asks in SHOWN else self.__dict__["reason"]

        def put(self: Any, text: str) -> None:
            self.__dict__["reason"] = hashed(text)

        cls.reason = property(get, put)  # type: ignore[assignment]


def _give_words_to_tests() -> None:
    def read_text(self: Path, *args: Any, **named: Any) -> str:
        text = _read_text(self, *args, **named)
        if _is_test(_asks()):
            return words(text)
        if self.suffix == ".json" and _asks().startswith("lrsched."):
            try:
                content = json.loads(text)
            except (ValueError, RecursionError):
                return text
            changed = _change_said(content)
            return text if changed == content else json.dumps(changed)
        return text

    Path.read_text = read_text
    read: Callable[..., Any] = pytest.CaptureFixture.readouterr

    def readouterr(self: Any) -> Any:
        said = read(self)
        return type(said)(words(said.out), words(said.err))

    pytest.CaptureFixture.readouterr = readouterr


def pytest_configure(config: pytest.Config) -> None:
    """Change the program before a test imports it."""
    os.environ.setdefault(STORE, tempfile.mkdtemp(prefix="hashes-"))
    _hash_errors()
    _hash_prints()
    _hash_records()
    _give_words_to_tests()
    _hash_fields()
