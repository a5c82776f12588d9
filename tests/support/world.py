"""The lifelike world of ``tests.support.demo`` in a browser: hubs to look at, and a look at one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support.browser import Visitor
from tests.support.demo import Demo
from tests.support.hub import Account, HubServer
from tests.support.pages import ADMIN, FIRST, NOBODY, SOMEBODY, Shown

_UNLIMITED = {"rate_limit_account": 10**6, "rate_limit_address": 10**6}
OPEN = "details.menu[open], dialog[open]"
# What makes a page wider than the window: the outermost things that reach out of it.
_WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 &&
    !(one.parentElement.getBoundingClientRect().right > innerWidth + 1)).slice(0, 3)
    .map((one) => one.outerHTML.slice(0, 160))"""

# What is open and reaches out of the window, where nobody sees it.
_OUTSIDE = """() => [...document.querySelectorAll("details.menu[open] > .list, dialog[open]")].filter((one) => {
    const { left, right } = one.getBoundingClientRect(); return left < 0 || right > innerWidth; })
  .map((one) => one.outerHTML.slice(0, 160))"""
# Words in a place so narrow that their letters stand one below the other.
_SQUEEZED = """() => [...document.querySelectorAll("body *:not(svg *)")].filter((one) => !one.childElementCount &&
    one.textContent.trim().length > 12 && one.clientWidth > 1 && one.clientWidth < 56 && one.clientHeight > 90)
  .slice(0, 3).map((one) => one.outerHTML.slice(0, 160))"""


@dataclass(frozen=True)
class World:
    """url: of the hub with everything in it; empty_url: of one that nobody has set up. people: accounts by name."""

    url: str
    empty_url: str
    people: dict[str, Account | None]

    def url_for(self, viewer: str) -> str:
        """The hub at which somebody looks."""
        return self.empty_url if viewer == FIRST else self.url


@contextmanager
def open_world(folder: Path) -> Iterator[World]:
    """The hubs, the full one at rest."""
    with HubServer(folder / "full", _UNLIMITED) as hub, HubServer(folder / "empty") as empty:
        root = hub.create_user(ADMIN, admin=True, scope="admin")
        Demo(hub.url, root.name, root.password).make()
        hub.rest()
        people = {NOBODY: None, FIRST: None} | {name: Account(name, "", hub) for name in (SOMEBODY, ADMIN)}
        yield World(hub.url, empty.url, people)


def world_at(url: str, password: str) -> World:
    """A hub that runs with the world in it; its set-up is over, and the pages of that are not to be had."""
    server: Any = SimpleNamespace(url=url)
    people = {name: Account(name, password, server) for name in (SOMEBODY, ADMIN)}
    return World(url, url, {NOBODY: None, **people})


def look_at(visitor: Visitor, shown: Shown) -> None:
    """Open a page and what is to be opened on it, and wait until the parts that come afterwards have come."""
    visitor.expected = [f"status of {shown.status}"] if shown.status != 200 else []
    visitor.open(shown.path)
    visitor.settle()
    if shown.press:
        visitor.page.locator(shown.press).first.click()
        visitor.settle()


def find_faults(visitor: Visitor, *rules: str) -> list[str]:
    """What is wrong with the page as it stands, a line each. rules: of axe; none: all that this hub keeps."""
    page, faults = visitor.page, visitor.unexpected()
    visitor.faults.clear()
    if not page.title().removesuffix("Hub").strip(" ·") and page.url.count("/") > 3:
        faults.append("no title")
    if (heads := page.locator("h1:visible").count()) != 1:
        faults.append(f"{heads} headings of the first level")
    faults += [f"wider than the window: {one}" for one in page.evaluate(_WIDER)]
    faults += [f"out of the window: {one}" for one in page.evaluate(_OUTSIDE)]
    faults += [f"squeezed: {one}" for one in page.evaluate(_SQUEEZED)]
    # What an open menu or dialog covers is not there to be used.
    opened = page.locator(OPEN).count()
    return faults + visitor.find_barriers(*rules, within=OPEN if opened else "")
