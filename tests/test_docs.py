"""What the documents point to is there, and the pictures can be drawn again."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = "\n".join(page.read_text("utf-8") for page in PAGES)
PNG = b"\x89PNG\r\n\x1a\n"
MADE = {"outputs", "multirun", "data", "checkpoints"}  # folders that running makes
TO_ADD = {"knee", "my_schedules", "shapes"}  # files that the pages show how to add
GONE = {"lrsched.report.stats.bca_interval"}  # what an older version had, named where changes are told


def words(markdown: str) -> list[str]:
    """The words in inline code, `key=value` being two; fenced blocks are examples, and left out.

    >>> words("`a/b.py` and `_target_: c.D`, `key=e/f`\\n```sh\\nrm `g`\\n```\\n")
    ['a/b.py', '_target_', 'c.D', 'key', 'e/f']
    """
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return [word.rstrip(":") for span in re.findall(r"`([^`]+)`", prose) for word in re.split(r"[\s=,\"'\[\]]+", span)]


def paths(markdown: str) -> list[str]:
    """The words that name a file or folder of the repository; what has no slash must look like a source file.

    >>> paths("`train.py` `conf/scheduler/` `conf/scheduler/NAME.yaml` `val/loss` `outputs/first` `lrsched/x.py`")
    ['train.py', 'conf/scheduler/', 'lrsched/x.py']
    """
    own = {path.name for path in ROOT.iterdir()} - MADE
    found = []
    for word in words(markdown):
        first, slash, _ = word.partition("/")
        source = re.fullmatch(r"[\w.-]+\.(py|md|toml)" if not slash else r"[\w./-]+\.(py|md|toml|yaml|png)", word)
        placeholder = Path(word).stem.isupper() and Path(word).suffix != ".md"
        if (source or (slash and first in own)) and first not in MADE and not placeholder:
            found.append(word)
    return found


def names(markdown: str) -> list[str]:
    """The words that name something in the package.

    >>> names("`lrsched.schedules.Cosine`, `_target_: lrsched.data.Digits`, `[tool.lrsched]`, `hydra-lrsched`")
    ['lrsched.schedules.Cosine', 'lrsched.data.Digits']
    """
    return [word for word in words(markdown) if re.fullmatch(r"lrsched(\.\w+)+", word)]


def resolves(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something in one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return bool(module) and resolves(module) and hasattr(importlib.import_module(module), attribute)
    return True


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert resolves("lrsched.schedules.Cosine")
    assert resolves("lrsched.horizon")
    assert not resolves("lrsched.schedules.Cosin")
    assert not resolves("lrsched.horizons.Horizon")


def test_every_path_that_the_readme_speaks_of_exists() -> None:
    spoken = paths(README)
    assert "conf/scheduler/" in spoken
    assert [path for path in spoken if Path(path).stem not in TO_ADD and not (ROOT / path).exists()] == []


def test_every_name_that_the_readme_speaks_of_exists() -> None:
    spoken = names(README)
    assert "lrsched.data.Data" in spoken
    assert [name for name in spoken if name not in GONE and not resolves(name)] == []


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "SECURITY.md", "data/README.md", "outputs/README.md"])
def test_every_path_that_a_short_document_speaks_of_exists(document: str) -> None:
    spoken = paths((ROOT / document).read_text("utf-8"))
    assert [path for path in spoken if not (ROOT / path).exists()] == []


def test_the_citation_is_of_the_newest_release_in_the_changelog() -> None:
    released = re.findall(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert released[0] == (citation["version"], str(citation["date-released"]))


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("[a-z]*/*.md")), ids=lambda p: p.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


@pytest.fixture
def pictures() -> ModuleType:
    """The script docs/pictures.py, as a module."""
    pytest.importorskip("matplotlib", reason="no matplotlib: the pictures need the extra `plot`")
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schedules_are_drawn_with_equal_bytes_each_time(pictures: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    pictures.draw_schedules(first, steps=50)
    pictures.draw_schedules(second, steps=50)
    assert first.read_bytes().startswith(PNG)
    assert first.read_bytes() == second.read_bytes()


def test_the_picture_says_which_overrides_it_shows(pictures: ModuleType) -> None:
    import yaml

    shared = yaml.safe_load((ROOT / "conf" / "scheduler" / "_schedule.yaml").read_text("utf-8"))
    for name, (schedule, options) in pictures.SHOWN.items():
        shipped = yaml.safe_load((ROOT / "conf" / "scheduler" / f"{name}.yaml").read_text("utf-8"))
        assert shipped["_target_"] == f"lrsched.schedules.{schedule.__name__}"
        assert set(options) < {*shipped, *shared}


def test_a_sweep_is_drawn_from_what_its_runs_left_behind(pictures: ModuleType, tmp_path: Path) -> None:
    rows = [{"step": 0, "lr/default": 0.1}, {"step": 1, "lr/default": 0.05}, {"step": 2, "val/loss": 0.5}]
    for name in pictures.SHOWN:
        for seed in (0, 1):
            run = tmp_path / "sweep" / f"scheduler-{name}_seed-{seed}-0badcafe"
            run.mkdir(parents=True)
            (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
            (run / "result.json").write_text(json.dumps({"metrics": {"test/accuracy": 0.5 + seed / 4}}), "utf-8")
    assert pictures.column(pictures.RunFolder(run), "lr/default").tolist() == [[0, 1], [0.1, 0.05]]
    pictures.draw_sweep(tmp_path / "sweep.png", tmp_path / "sweep")
    assert (tmp_path / "sweep.png").read_bytes().startswith(PNG)
