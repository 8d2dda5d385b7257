"""Text that others wrote stays text: no element, no attribute, no end of a block comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lrsched.page.page import page
from lrsched.report import compare_paths
from tests.helpers.payloads import PAYLOADS, hostile_sweep


@dataclass
class Seen(HTMLParser):
    """What a browser would see: elements with their attributes' names, addresses, texts, and what is in scripts."""

    forms: set[tuple[str, frozenset[str]]] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    blocks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.forms.add((tag, frozenset(name for name, _ in attrs)))
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.addresses |= {str(value) for name, value in attrs if name in ("href", "src", "action", "style", "srcdoc")}
        self._within = dict(attrs).get("id") or tag if tag in ("script", "style") else ""

    def handle_data(self, data: str) -> None:
        if self._within:
            self.blocks[self._within] = self.blocks.get(self._within, "") + data
        else:
            self.texts.append(data)


def seen(sweep: Path) -> Seen:
    parser = Seen()
    parser.feed(page(compare_paths([sweep]), [sweep]))
    parser.close()
    return parser


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, Seen]:
    """The page of forty payloads, and that of forty harmless words as long."""
    folder = tmp_path_factory.mktemp("words")
    harmless = [f"word{number:02}".ljust(len(payload), "x") for number, payload in enumerate(PAYLOADS)]
    return seen(hostile_sweep(folder / "a", PAYLOADS)), seen(hostile_sweep(folder / "b", harmless))


def test_no_payload_makes_an_element_or_an_attribute(both: tuple[Seen, Seen]) -> None:
    hostile, harmless = both
    assert hostile.forms == harmless.forms
    assert {**hostile.counts, "details": 0, "summary": 0} == {**harmless.counts, "details": 0, "summary": 0}
    assert hostile.counts["script"] == 3
    assert hostile.counts["style"] == 1
    assert not {name for _, names in hostile.forms for name in names if name.startswith("on")}


def test_no_payload_becomes_an_address(both: tuple[Seen, Seen]) -> None:
    hostile, harmless = both
    assert {address for address in hostile.addresses if not address.startswith("#")} == set()
    assert len(hostile.addresses) == len(harmless.addresses)


def test_every_payload_is_there_to_be_read(both: tuple[Seen, Seen]) -> None:
    words = "\n".join(both[0].texts)
    assert [payload for payload in PAYLOADS if words.count(payload) < 6] == []


def test_the_blocks_of_data_hold_them_and_nothing_that_could_end_them(both: tuple[Seen, Seen]) -> None:
    hostile, _ = both
    for name in ("lrs-data", "lrs-runs"):
        assert not set("<>&\u2028\u2029") & set(hostile.blocks[name])
    runs = json.loads(hostile.blocks["lrs-runs"])
    named = {payload for payload in PAYLOADS for run in runs if payload.replace("/", "∕") in run["label"]}
    assert named == set(PAYLOADS)
