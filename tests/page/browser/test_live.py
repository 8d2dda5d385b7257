"""``lrsched watch`` in a real browser: new rows show, and what the reader chose stays."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lrsched.watch.live import Live, Question
from lrsched.watch.server import Server
from tests.helpers.browser import Opened, until
from tests.page.browser.conftest import rows
from tests.page.browser.test_reading import column, drag, drawn, zoom_of

pytestmark = pytest.mark.slow


@pytest.fixture
def going(sweep: Path, leave: Callable[..., Path]) -> Path:
    """A run of the sweep that goes on."""
    return leave("WSD", 0.7, 0, status=None, rows=rows(0.5, 0.7)[:50])


@pytest.fixture
def server(going: Path, sweep: Path) -> Iterator[Server]:
    with Server(Live(Question([sweep]))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Watched(Opened):
    """A page that may ask its own server, and no other."""

    def wrong(self) -> list[str]:
        self.requests = [url for url in self.requests if not url.startswith(self.address)]
        return super().wrong()


@pytest.fixture
def watched(server: Server, visit: Callable[..., Opened]) -> Opened:
    return visit(server.address, kind=Watched)


def add(run: Path, start: int, end: int) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows(0.5, 0.7)[start:end]))


def test_a_new_row_shows_within_two_seconds_and_what_was_chosen_stays(watched: Opened, going: Path) -> None:
    page = watched.page
    figure = drawn(page)
    page.locator("#runs-table thead th").nth(2).get_by_role("button").click()
    page.locator("#filter-runs-table").fill("wsd")
    drag(page, figure.locator(".surface").first, 0.25, 0.5)
    zoomed, order = zoom_of(page), column(page, 2)
    page.evaluate("document.querySelector('#w0-curves details').open = true")
    page.evaluate("document.querySelector('#w0-curves').marked = true")
    figure.locator(".surface").first.focus()
    add(going, 50, 90)
    start = time.monotonic()
    until(page, "document.querySelector('#runs-table tr[data-end=unfinished]').textContent.includes('89')")
    assert time.monotonic() - start < 4  # two seconds, on a machine that does nothing else
    assert (zoom_of(page), column(page, 2)) == (zoomed, order)
    assert page.locator("#filter-runs-table").input_value() == "wsd"
    assert page.evaluate("document.activeElement.className") == "surface"
    assert page.evaluate(
        "document.querySelector('#w0-curves').marked && document.querySelector('#w0-curves details').open"
    )
    assert page.locator("#w0-curves canvas").count() == 2


def test_a_run_that_appears_is_shown_and_filtered(watched: Opened, leave: Callable[..., Path]) -> None:
    page = watched.page
    page.locator("#filter-runs-table").fill("cosine")
    before = len(column(page, 1))
    leave("Cosine", 0.9, 0, status=None, rows=rows(0.5, 0.9)[:20])
    leave("Linear", 0.9, 0, 1.0, rows=rows(0.5, 0.9))
    until(page, "document.querySelectorAll('#runs-table tbody tr').length === 16")
    assert len(column(page, 1)) == before + 1
    until(page, "document.querySelector('#w0-candidates').textContent.includes('linear')")
    drawn(page).get_by_role("button", name="linear").first.wait_for()


def test_the_reader_is_told_when_nobody_answers(watched: Opened, server: Server) -> None:
    page = watched.page
    server.shutdown()
    server.socket.close()
    page.context.set_offline(True)
    page.locator(".lost", has_text="no longer answers").wait_for()
    watched.faults.clear()  # the browser's own word on the failed request
    page.context.set_offline(False)


def test_nothing_is_asked_for_by_a_page_on_disk(visit: Callable[..., Opened], report: Path) -> None:
    page = visit(report).page
    page.wait_for_timeout(1500)
    assert page.locator(".lost").count() == 0
