"""Every page of the hub, once: nothing it loads fails or leaves the hub, everybody can use it, and it fits a phone."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support.browser import NARROW, WIDE, visit
from tests.support.pages import NOBODY, OPENED, PAGES
from tests.support.servers import scratch_directory
from tests.support.world import find_faults, look_at, open_world

# What of axe's rules depends on the theme and the width; by the others it is the same page.
_OF_LOOKS = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")


@pytest.fixture(scope="module")
def windows(browser):
    """A window for each of those who look."""
    with scratch_directory("world") as folder, open_world(folder) as world, ExitStack() as stack:
        yield {
            who: stack.enter_context(visit(browser, world.url_for(who), account=account))
            for who, account in world.people.items()
        }


# The first waits until the world is made.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shown", PAGES + OPENED, ids=lambda shown: shown.name)
def test_a_page_is_sound(windows, shown):
    window = windows[shown.viewer]
    window.page.emulate_media(color_scheme="light")
    window.page.set_viewport_size(WIDE)
    look_at(window, shown)
    faults = find_faults(window)
    # A page made narrow is not loaded again: widths are a matter of its styles alone.
    window.page.emulate_media(color_scheme="dark")
    window.page.set_viewport_size(NARROW)
    window.settle()
    faults += [f"dark and narrow: {fault}" for fault in find_faults(window, *_OF_LOOKS)]
    assert faults == []


def test_paper_is_white_and_has_nothing_to_click(windows):
    window = windows[NOBODY]
    page = window.open(next(shown.path for shown in PAGES if shown.name == "model"))
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("article h2:visible").count()
    assert page.locator(":is(.bar, .tabs, .button, input, dialog):visible").count() == 0
    # As wide as a sheet: no line of code runs out of it.
    page.set_viewport_size({"width": 680, "height": 960})
    assert (
        page.evaluate(
            "[...document.querySelectorAll('article pre')].filter((one) => one.scrollWidth > one.clientWidth)"
        )
        == []
    )
    page.emulate_media(media="screen")
