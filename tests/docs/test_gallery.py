"""docs/schedules.md is what ``python docs/gallery.py`` writes, of every schedule, with sources that can be cited."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from lrsched.preview import Course


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "docs"))
        return importlib.import_module("gallery")


@pytest.fixture(scope="module")
def shown(gallery: ModuleType) -> dict[str, Course]:
    return gallery.pictured()


def test_the_page_is_up_to_date(gallery: ModuleType, shown: dict[str, Course]) -> None:
    written = gallery.PAGE.read_text("utf-8")
    assert written == gallery.page(shown), "run: python docs/gallery.py"


def test_every_schedule_has_its_section_and_its_picture(gallery: ModuleType, root: Path) -> None:
    names = sorted(path.stem for path in (root / "conf" / "scheduler").glob("[!_]*.yaml"))
    assert re.findall(r"^## (\w+)$", gallery.PAGE.read_text("utf-8"), re.MULTILINE) == names
    assert sorted(path.name for path in gallery.PICTURES.iterdir()) == [f"{name}.svg" for name in names]


def test_the_pictures_are_up_to_date_and_small(gallery: ModuleType, shown: dict[str, Course]) -> None:
    for name, course in shown.items():
        written = (gallery.PICTURES / f"{name}.svg").read_text("utf-8")
        assert len(written.encode()) < 20_000
        ElementTree.fromstring(written)
        assert written == gallery.svg(course), "run: python docs/gallery.py"


def test_every_paper_that_a_schedule_names_can_be_cited(gallery: ModuleType) -> None:
    papers = {link for link in gallery.cited() if "arxiv.org" in link or "doi.org" in link}
    assert papers == set(gallery.references()), "docs/references.bib has an entry for each paper, and no other"


def test_the_entries_are_bibtex(gallery: ModuleType, root: Path) -> None:
    text = (root / "docs" / "references.bib").read_text("utf-8")
    keys = re.findall(r"^@(?:article|inproceedings|incollection|misc)\{([a-z]+\d{4}[a-z0-9]*),$", text, re.MULTILINE)
    assert keys == sorted(set(keys))
    assert len(keys) == text.count("@") == len(gallery.references())
    for entry in gallery.references().values():
        assert entry.count("{") == entry.count("}")
        assert {"author", "title", "year", "url"} <= set(re.findall(r"^  (\w+) += ", entry, re.MULTILINE))
