"""A Chromium that is installed here, and what a page does in it that it should not."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium is here: nox -s browser installs Debian's as root; or set LRSCHED_CHROMIUM to the program"

LISTEN = """
window.refused = [];
const refuse = (event) => refused.push(`${event.violatedDirective} ${event.blockedURI}`);
document.addEventListener("securitypolicyviolation", refuse);
"""


def program() -> str | None:
    """Where a Chromium lies; None if there is none."""
    given = os.environ.get("LRSCHED_CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page in a context of its own, and every fault of it.

    Args:
        browser: in which.
        address: a file, or an address.
        options: of the context: ``color_scheme``, ``viewport``, ``java_script_enabled``, …
    """

    def __init__(self, browser: Browser, address: Path | str, **options: Any) -> None:
        self._context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        self.page: Page = self._context.new_page()
        self.address = address.as_uri() if isinstance(address, Path) else address
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.add_init_script(LISTEN)
        self.page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(self.address)

    def _dismiss(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def wrong(self) -> list[str]:
        """Errors, words on the console, dialogs, what the policy refused, and requests but that for the page itself."""
        refused = self.page.evaluate("window.refused ?? []")
        others = [url for url in self.requests if url.partition("#")[0] != self.address.partition("#")[0]]
        return [*self.faults, *refused, *others]

    def close(self) -> None:
        self._context.close()


def until(page: Page, expression: str, given: Any = None) -> None:
    """Wait until an expression, or a function of what is given, is true in the page.

    Playwright's own ``wait_for_function`` evaluates a text within the page, which our policy refuses.
    """
    end = time.monotonic() + 10
    while not page.evaluate(expression, given):
        assert time.monotonic() < end, f"never so: {expression} ({given})"
        page.wait_for_timeout(20)
