"""The pages: what they tell a reader to type is typed, what they link to is there, and Sphinx builds them."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NOT_RUN = {
    "README.md": ["installs the package", "installs the package"],
    "docs/how-to/cluster.md": ["needs Slurm"],
    "docs/how-to/processes.md": ["needs two machines", "needs Slurm"],
    "docs/tutorial.md": ["installs the package"],
}
"""Blocks that nobody types here, and why."""


@pytest.fixture(scope="module")
def commands() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        return importlib.import_module("commands")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_blocks_are_read_with_their_marks(commands: ModuleType) -> None:
    page = "<!-- exit 2 -->\n```console\n$ a \\\n  b\nsaid\n$ c\n```\n<!-- not run: needs Slurm -->\n```sh\nd\n```\n"
    typed, left = commands.blocks(page)
    assert (typed.code, typed.reason, typed.commands) == (2, None, [("a \\\n  b", "said"), ("c", "")])
    assert left.reason == "needs Slurm"


def test_a_file_is_known_by_its_first_line(commands: ModuleType) -> None:
    (block,) = commands.blocks("```yaml\n# my_conf/model/tiny.yaml\n_target_: a.B\n```\n")
    assert block.file == "my_conf/model/tiny.yaml"
    assert commands.blocks("```sh\n# a/b.yaml\n```\n")[0].file is None


@pytest.mark.parametrize(
    ("printed", "expected", "exact", "same"),
    [
        ("loss 0.5 in 1.2 s", "loss 0.5 in 7.0 s", True, True),
        ("loss 0.5", "loss 0.6", True, False),
        ("loss 0.5", "loss 0.6", False, True),
        ("loss 0.5", "cost 0.5", False, False),
        ("a\nb\nc\nd", "a\n…\nd", True, True),
        ("a\nb\nc", "…\nc", True, True),
        ("a\nb\nc", "…\nb", True, False),
        ("a\nb\nc", "a\n…", True, True),
        ("a\nb\nc", "b\n…", True, False),
        ("a", "", True, False),
    ],
)
def test_outputs_are_compared_but_for_the_clock(
    commands: ModuleType, printed: str, expected: str, exact: bool, same: bool
) -> None:
    assert commands.agree(printed, expected, exact) is same


def test_the_blocks_that_are_not_run_are_counted(commands: ModuleType) -> None:
    found = {
        named(page): [block.reason for block in commands.blocks(page.read_text("utf-8")) if block.reason]
        for page in commands.pages()
    }
    assert {page: reasons for page, reasons in found.items() if reasons} == NOT_RUN


def anchors(page: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub and MyST write them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_says_comes_out(commands: ModuleType, page: Path, tmp_path: Path) -> None:
    assert commands.Reader(tmp_path).check(page) == []


@pytest.mark.slow
def test_sphinx_builds_the_pages_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("no Sphinx: the pages need the extra `docs`")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Python API" in (tmp_path / "reference/python.html").read_text("utf-8")


def test_a_page_says_at_once_what_train_py_is_without_a_clone() -> None:
    own = ("own-project.md",)  # a project has its own train.py
    shown = 0
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text("utf-8")
        if any("python train.py" in block for block in re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)):
            shown += 1
            assert page.name in own or "`lrsched train …`" in text[: text.index("\n```")], page
    assert shown > 15
