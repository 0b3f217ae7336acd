"""Opens Norn's page in Debian's Chromium, and records each request, each violation of the content security policy, and
each script that ran.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.servers import allowed

CHROMIUM = "/usr/bin/chromium"
UI = Path(__file__).parents[2] / "norn_api" / "ui"
_AXE = UI / "node_modules" / "axe-core" / "axe.min.js"
_SERIOUS = ("serious", "critical")
HOSTILE = '<img src=x onerror="window.hostile=1"><script>window.hostile=1</script>'
"""Text that runs a script if a browser reads it as HTML."""


class Visitor:
    """A browser with one tab on the page of a server, and the recorded events."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url, self.context = url, context
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.streams: set[str] = set()
        self.page = self.tab()

    def tab(self) -> Page:
        """Opens another tab and records its events."""
        page = self.context.new_page()
        page.set_default_timeout(allowed(15) * 1000)
        page.on("request", self._note)
        page.on("console", self._read)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _note(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")) and urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.foreign.append(request.url)
        address = urlsplit(request.url)
        if address.path.endswith("stream") or "follow=" in address.query:
            self.streams.add(address.path)

    def _read(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.complaints.append(message.text)

    def stranger(self) -> Visitor:
        """Returns a second user of the same browser, who is not signed in."""
        assert self.context.browser is not None
        return Visitor(_new_context(self.context.browser), self.url)

    def sign_in(self, token: str) -> None:
        """Signs in by the form, as a user does."""
        self.page.goto(self.url)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation", name="Views").wait_for()

    def open(self, place: str) -> Page:
        """Opens a path of the page."""
        self.page.goto(f"{self.url}/#/{place}")
        self.page.locator("main").wait_for()
        return self.page

    def serious(self) -> list[str]:
        """Returns the serious findings of the accessibility checker axe in the current view."""
        self.page.evaluate(_AXE.read_text())
        found: list[dict[str, Any]] = self.page.evaluate("axe.run().then((result) => result.violations)")
        return [
            f"{each['id']}: {json.dumps([node['html'][:200] for node in each['nodes']])}"
            for each in found
            if each["impact"] in _SERIOUS
        ]

    def was_attacked(self) -> bool:
        """Returns True if a hostile text has run its script in this document."""
        return bool(self.page.evaluate("window.hostile !== undefined"))


@contextmanager
def visitor(url: str) -> Iterator[Visitor]:
    """Runs a browser until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield Visitor(_new_context(browser), url)
        finally:
            browser.close()


def _new_context(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
