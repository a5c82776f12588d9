"""A browser for these tests, and windows that fail the test in which a page did something wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import NO_BROWSER
from tests.support.browser import LIMIT_MS, Visitor, find_chromium, open_browser, visit
from tests.support.hub import Account, HubServer

# Five seconds are not enough on a machine that does much else.
expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; the tests that need it are skipped, and say so, where the machine has none."""
    if find_chromium() is None:
        pytest.skip(NO_BROWSER)
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def person(single_hub: HubServer) -> Account:
    """An account of this file's tests."""
    return single_hub.new_account()


@pytest.fixture
def open_window(browser: Browser, hub_server: HubServer) -> Iterator[Callable[..., Visitor]]:
    """``open_window(account, size=NARROW, theme="dark")``: a window at the hub; what it did wrong fails the test."""
    assert hub_server.administrator, "without one every page leads to the set-up"
    with ExitStack() as windows:
        opened: list[Visitor] = []

        def make(account: Account | None = None, **options: Any) -> Visitor:
            visitor = windows.enter_context(visit(browser, hub_server.url, account=account, **options))
            opened.append(visitor)
            return visitor

        yield make
        faults = [fault for visitor in opened for fault in visitor.unexpected()]
    assert faults == []
