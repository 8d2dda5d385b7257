"""A reader in a real browser: opens a report, sorts, filters, hovers, zooms, prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import Opened, until

pytestmark = pytest.mark.slow

Visit = Callable[..., Opened]
CURVES = "#w0-curves"
TABLE = "#runs-table"


def column(page: Any, number: int, table: str = TABLE) -> list[str]:
    """The cells of a column that are shown, from top to bottom."""
    cells = page.locator(f"{table} tbody tr:visible > :nth-child({number + 1})")
    return cells.all_inner_texts()


def drawn(page: Any, figure: str = CURVES) -> Any:
    """The figure, once the script has drawn it."""
    page.locator(figure).scroll_into_view_if_needed()
    page.locator(f"{figure}.live").wait_for()
    return page.locator(figure)


def drag(page: Any, surface: Any, start: float, end: float) -> None:
    """Drag over a part of a plot, from and to shares of its width."""
    box = surface.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 60, steps=4)
    page.mouse.up()


def zoom_of(page: Any) -> list[float]:
    """The limits that the address holds; none without a zoom."""
    found = re.search(r"zoom\.steps\.w0=([^&]+)", page.url)
    return [float(limit) for limit in found[1].replace("%3A", ":").split(":")] if found else []


def test_without_script_everything_is_there(visit: Visit, report: Path) -> None:
    page = visit(report, java_script_enabled=False).page
    assert page.locator("figure svg").first.is_visible()
    assert page.locator(f"{TABLE} tbody tr").count() == 13
    assert page.locator("button, input, select").count() == 0


def test_the_picture_stays_until_the_plot_is_drawn(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)
    assert figure.locator("canvas").count() == 2  # the metric, and below it the rate
    assert not figure.locator(".drawn").is_visible()
    assert page.locator("#w0-pairs .drawn").is_visible()  # nothing draws it anew


def test_a_column_sorts_up_down_and_back(visit: Visit, report: Path) -> None:
    page = visit(report).page
    first = column(page, 2)
    head = page.locator(f"{TABLE} thead th").nth(2)
    head.get_by_role("button").click()
    assert column(page, 2) == ["0.1"] * 6 + ["0.5"] * 6 + ["9.0"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert column(page, 2) == ["9.0"] + ["0.5"] * 6 + ["0.1"] * 6
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert column(page, 2) == first
    assert head.get_attribute("aria-sort") is None


def test_a_column_is_sorted_by_key_and_what_has_no_value_comes_last_both_ways(visit: Visit, report: Path) -> None:
    page = visit(report).page
    head = page.locator(f"{TABLE} thead th").nth(6).get_by_role("button")
    head.focus()
    page.keyboard.press("Enter")
    up = column(page, 4)
    page.keyboard.press("Enter")
    assert up[-1] == column(page, 4)[-1] == "failed"


def test_rows_are_filtered_by_words_in_any_order(visit: Visit, report: Path) -> None:
    page = visit(report).page
    field = page.locator("#filter-runs-table")
    field.fill("FINISHED cosine")
    assert column(page, 1) == ["cosine"] * 4
    assert page.locator("output[for=filter-runs-table]").inner_text() == "4 of 13 rows"
    field.fill("no such thing")
    assert column(page, 1) == []
    field.fill("")
    assert len(column(page, 1)) == 13


def test_a_link_brings_back_what_was_chosen(visit: Visit, report: Path) -> None:
    opened = visit(report)
    page = opened.page
    page.locator(f"{TABLE} thead th").nth(2).get_by_role("button").click()
    page.locator("#filter-runs-table").fill("wsd & <b>")
    page.locator("#filter-runs-table").fill("wsd 0.5")
    figure = drawn(page)
    drag(page, figure.locator(".surface").first, 0.25, 0.5)
    figure.get_by_role("button", name="step").first.click()
    other = visit(page.url).page
    assert column(other, 2) == ["0.5"] * 2
    assert zoom_of(other) == zoom_of(page)
    assert drawn(other).get_by_role("button", name="step").first.get_attribute("aria-pressed") == "false"
    page.reload()
    assert column(page, 2) == ["0.5"] * 2


def test_a_link_within_the_page_keeps_what_was_chosen(visit: Visit, report: Path) -> None:
    page = visit(report).page
    page.locator("#filter-runs-table").fill("wsd")
    page.locator("nav a[href='#w0']").click()
    assert column(page, 1) == ["wsd"] * 4
    assert page.url.endswith("#w0&filter.runs-table=wsd")
    page.reload()
    assert column(page, 1) == ["wsd"] * 4


def test_the_back_button_brings_back_what_the_address_says(visit: Visit, report: Path) -> None:
    page = visit(report).page
    page.evaluate("location.hash = 'filter.runs-table=cosine'")
    until(page, "document.querySelector('#filter-runs-table').value === 'cosine'")
    page.go_back()
    until(page, "document.querySelector('#filter-runs-table').value === ''")
    assert len(column(page, 1)) == 13


def test_one_cursor_shows_the_values_of_both_panels(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)
    box = figure.locator(".u-over").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    where, values = figure.locator(".where"), figure.locator(".keys").nth(1).locator(".value")
    until(page, "document.querySelector('#w0-curves .where').textContent !== ''")
    assert where.all_inner_texts() == ["step 100", "step 100"]
    assert values.all_inner_texts() == ["0.05"] * 3  # half of 0.1, at half of the steps
    page.mouse.move(0, 0)
    until(page, "document.querySelector('#w0-curves .where').textContent === ''")


def test_what_is_dragged_over_is_zoomed_to_in_all_plots_of_these_steps(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)
    drag(page, figure.locator(".surface").nth(1), 0.25, 0.5)
    low, high = zoom_of(page)
    assert abs(low - 50) < 3
    assert abs(high - 100) < 3
    surface = figure.locator(".surface").first
    surface.focus()
    page.keyboard.press("End")
    until(page, "document.querySelector('#spoken').textContent.startsWith('step 100')")
    figure.get_by_role("button", name="reset zoom").click()
    assert zoom_of(page) == []


def test_a_double_press_shows_everything_again(visit: Visit, report: Path) -> None:
    page = visit(report).page
    surface = drawn(page).locator(".surface").first
    drag(page, surface, 0.25, 0.5)
    assert zoom_of(page)
    surface.locator(".u-over").dblclick()
    assert zoom_of(page) == []


def test_the_wheel_zooms_with_a_key_and_scrolls_without(visit: Visit, report: Path) -> None:
    page = visit(report).page
    surface = drawn(page).locator(".surface").first
    surface.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    until(page, "location.hash.includes('zoom.steps.w0')")
    low, high = zoom_of(page)
    assert 0 < low < high < 200
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 300)
    until(page, "(before) => scrollY > before", before)
    assert zoom_of(page) == [low, high]


def test_a_schedule_is_hidden_in_all_plots(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)
    before = figure.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    figure.get_by_role("button", name="wsd").first.click()
    buttons = page.locator("figure.live").get_by_role("button", name="wsd")
    assert {button.get_attribute("aria-pressed") for button in buttons.all()} == {"false"}
    assert figure.locator("canvas").first.evaluate("canvas => canvas.toDataURL()") != before
    figure.get_by_role("button", name="wsd").first.click()
    assert "hide" not in page.url


def test_axes_runs_and_metrics_can_be_changed(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)

    def picture() -> str:
        return figure.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")

    seen = {picture()}
    figure.get_by_role("button", name="log y").first.click()
    seen.add(picture())
    figure.get_by_label("draw").select_option("single runs")
    seen.add(picture())
    figure.get_by_label("draw").select_option("runs at all rates")
    seen.add(picture())
    figure.get_by_label("metric").select_option("train/loss")
    seen.add(picture())
    assert len(seen) == 5
    again = visit(page.url).page
    assert drawn(again).get_by_label("metric").input_value() == "train/loss"
    assert drawn(again).get_by_label("draw").input_value() == "all"


def test_print_shows_the_pictures_and_no_switches(visit: Visit, report: Path) -> None:
    page = visit(report).page
    figure = drawn(page)
    page.emulate_media(media="print")
    assert figure.locator(".drawn svg").is_visible()
    assert not figure.locator("canvas").first.is_visible()
    assert not page.locator("#filter-runs-table").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_the_plots_follow_dark_and_light(visit: Visit, report: Path) -> None:
    page = visit(report).page
    canvas = drawn(page).locator("canvas").first
    light = canvas.evaluate("canvas => canvas.toDataURL()")
    page.emulate_media(color_scheme="dark")
    canvas = drawn(page).locator("canvas").first
    assert canvas.evaluate("canvas => canvas.toDataURL()") != light
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", ground))) < 200


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_never_scrolls_the_page_sideways(visit: Visit, report: Path, width: int) -> None:
    page = visit(report, viewport={"width": width, "height": 740}).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    drawn(page)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("figure.live canvas").first.evaluate("canvas => canvas.clientWidth") <= width


def test_no_motion_where_none_is_wanted(visit: Visit, report: Path) -> None:
    page = visit(report, reduced_motion="reduce").page
    moving = (
        "[...document.querySelectorAll('*')].filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0)"
    )
    assert page.evaluate(f"{moving}.length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
