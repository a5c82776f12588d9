"""A real browser on a real hub: Debian's Chromium, driven by Playwright, which notes whatever a page does wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

import hub
from tests.support.hub import Account
from tests.support.processes import wait_until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# For what never comes; on a machine that does much else a page may take half of it.
LIMIT_MS = 60_000
# Chromium as root in a container, and silent towards the rest of the world.
_OPTIONS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
_AXE = Path(hub.__file__).parent.parent / "themes" / "default" / "node_modules" / "axe-core" / "axe.min.js"
# WCAG 2.2 AA and what is good practice beside it.
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def find_chromium() -> str | None:
    """The path of the browser, or None where the machine has none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=_OPTIONS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody with a browser window, signed in or not. ``page`` is Playwright's.

    faults: errors of scripts, lines at level error of the console, requests that left the hub, answers of 500 and more.
    """

    context: BrowserContext
    url: str
    page: Page = field(init=False)
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    _on_their_way: set[Request] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page = self.context.new_page()
        self.watch(self.page)
        self.context.on("request", self._note_request)
        self.context.on("requestfinished", self._note_end)
        self.context.on("requestfailed", self._note_end)

    def watch(self, page: Page) -> None:
        """Note what goes wrong on this page, too."""
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", self._note_line)
        page.on(
            "response",
            lambda answer: self.faults.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
        )

    def _note_line(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.faults.append(f"console: {line.text} ({line.location['url']})")

    def _note_request(self, request: Request) -> None:
        if request.resource_type != "eventsource":
            self._on_their_way.add(request)
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.url).netloc:
            self.faults.append(f"left the hub: {request.url}")

    def open(self, path: str, *, page: str = "", state: str = "") -> Page:
        """Go to an address and wait until its scripts run. page, state: what it must be (``data-page``)."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("html[data-scripts=ready]", state="attached")
        body = self.page.locator("body")
        if page:
            assert body.get_attribute("data-page") == page, path
        if state:
            assert body.get_attribute("data-state") == state, path
        return self.page

    def _note_end(self, request: Request) -> None:
        self._on_their_way.discard(request)

    def settle(self) -> None:
        """Wait until what the page asked for has come, and what that asked for."""
        wait_until(self._is_quiet, timeout_s=LIMIT_MS / 1000, what="the page to be quiet")

    def _is_quiet(self) -> bool:
        # Two frames: what has come is in the page by then, and has asked for more if it does.
        self.page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
        return not self._on_their_way and not self.page.locator(".htmx-request").count()

    def expect_fault(self, part: str) -> None:
        """What a test brings about on purpose: faults with this text in them are none."""
        self.expected.append(part)

    def unexpected(self) -> list[str]:
        """The faults that no test wanted."""
        return [fault for fault in self.faults if not any(part in fault for part in self.expected)]

    def sign_in(self, account: Account) -> None:
        """Sign in as a script does; the page of signing in has tests of its own."""
        answer = self.context.request.post(
            f"{self.url}/api/v1/session", data={"username": account.name, "password": account.password}
        )
        assert answer.ok, answer.text()

    def find_barriers(self, *rules: str, within: str = "") -> list[str]:
        """What axe finds wrong with the page as it stands, a line each.

        rules: axe's names; none: all that this hub keeps. within: a CSS selector of what alone is looked at.
        """
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.read_text())
        place = json.dumps(within) if within else "document"
        asked = {"runOnly": rules or _RULES, "resultTypes": ["violations"], "selectors": False}
        # What is right is a hundred times as much as what is wrong, and stays there.
        found = self.page.evaluate(f"axe.run({place}, {json.dumps(asked)}).then((found) => found.violations)")
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]}"
            for one in found
            for node in one["nodes"][:3]
        ]


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    account: Account | None = None,
    size: dict[str, int] | None = None,
    theme: str = "light",
    locale: str = "en-GB",
) -> Iterator[Visitor]:
    """A fresh window at a hub. theme: what the system prefers. Closing it leaves the faults to be looked at."""
    viewport: Any = size or WIDE
    scheme: Any = theme
    context = browser.new_context(viewport=viewport, color_scheme=scheme, locale=locale, accept_downloads=True)
    try:
        visitor = Visitor(context, url)
        if account is not None:
            visitor.sign_in(account)
        yield visitor
    finally:
        context.close()
