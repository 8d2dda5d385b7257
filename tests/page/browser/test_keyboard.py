"""A reader without a mouse, and one who hears the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import Opened, until
from tests.page.browser.test_reading import drawn, zoom_of

pytestmark = pytest.mark.slow

Visit = Callable[..., Opened]


def heard(page: Any, text: str) -> None:
    """Wait until a screen reader is told this."""
    until(page, "(text) => document.querySelector('#spoken').textContent === text", text)


def test_arrows_move_the_cursor_and_what_it_shows_is_said(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page, "#w0-train")
    figure.locator(".surface").first.focus()
    page.keyboard.press("ArrowRight")
    heard(page, "step 0, cosine: 1.413")  # 0.25 + 0.1 + 0.0625 of the mean of two seeds + 1/1
    page.keyboard.press("ArrowRight")
    heard(page, "step 1, cosine: 0.9125")
    page.keyboard.press("Shift+ArrowRight")
    heard(page, "step 11, cosine: 0.4958")
    page.keyboard.press("ArrowDown")
    heard(page, "step 11, wsd: 0.7458")
    page.keyboard.press("End")
    heard(page, "step 199, wsd: 0.6675")
    page.keyboard.press("Home")
    heard(page, "step 0, wsd: 1.663")
    assert figure.locator(".where").first.inner_text() == "step 0"


def test_keys_zoom_and_show_everything_again(visit: Visit, report: Path) -> None:
    page = visit(report).page
    drawn(page, "#w0-train").locator(".surface").first.focus()
    page.keyboard.press("+")
    assert zoom_of(page) == [50, 150]  # around the middle
    page.keyboard.press("-")
    assert zoom_of(page) == []
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert zoom_of(page) == []


def test_every_switch_is_reached_by_tab_and_seen(visit: Visit, report: Path) -> None:
    page = visit(report).page
    drawn(page)
    reached: set[str] = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        outline, what = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineStyle,"
            " document.activeElement.className || document.activeElement.tagName]"
        )
        if what == "BODY":
            break
        assert outline != "none", what
        reached.add(what)
    assert {"sort", "surface", "scroll"} <= reached
    assert {"SELECT", "INPUT"} <= reached


def test_a_focused_switch_keeps_the_focus(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)
    switch = figure.get_by_role("button", name="log y").first
    switch.focus()
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.textContent") == "log y"
    assert figure.get_by_role("button", name="log y").first.get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}],
    ids=["light", "dark", "360 px"],
)
def test_axe_finds_no_serious_fault(visit: Visit, report: Path, options: dict[str, Any]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = visit(report, bypass_csp=True, **options).page  # axe is a script that the page does not have
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    drawn(page)
    found = axe.Axe().run(page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
