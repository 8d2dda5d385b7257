"""docs/reference/python.md gives every public name with its signature, as ``python docs/signatures.py`` writes it."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import lrsched

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "python.md"

pytest.importorskip("torch", reason="no torch, which the names load")


@pytest.fixture(scope="module")
def signatures() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        return importlib.import_module("signatures")


def test_the_page_is_up_to_date(signatures: ModuleType) -> None:
    text = PAGE.read_text("utf-8")
    assert signatures.page(text) == text, "run: python docs/signatures.py"


def test_every_public_name_stands_there_with_each_parameter(signatures: ModuleType) -> None:
    shown = " ".join(line.strip() for line in PAGE.read_text("utf-8").splitlines())
    documented = re.findall(r"auto(?:function|class):: (\S+)", PAGE.read_text("utf-8"))
    assert {f"lrsched.{name}" for name in lrsched.__all__ if callable(getattr(lrsched, name))} <= set(documented)
    for name in documented:
        for parameter in inspect.signature(signatures.resolved(name)).parameters:
            assert re.search(rf"{re.escape(name)}\([^`]*?\b{parameter}\b", shown), (name, parameter)


def test_a_signature_is_written_as_one_reads_it(signatures: ModuleType) -> None:
    def some(a: str, *, b: int | None = None, c: str = "x") -> list[int]: ...

    assert signatures.signature(some) == "(a: str, *, b: int | None = None, c: str = 'x') -> list[int]"
    text = "```{eval-rst}\n.. autofunction:: lrsched.load\n```\n"
    once = "```text\nlrsched.load(folder: str | os.PathLike[str]) -> Run\n```\n\n" + text
    assert signatures.page(text) == once == signatures.page(once)
