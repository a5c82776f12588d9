"""Every page of the hub, once: nothing it loads fails or leaves the hub, everybody can use it, and it fits a phone."""

from __future__ import annotations

import pytest

from tests.support.browser import NARROW, WIDE, visit
from tests.support.pages import ADMIN, FIRST, NOBODY, OPENED, PAGES, SOMEBODY
from tests.support.servers import scratch_directory
from tests.support.world import find_faults, look_at, open_world

# What of axe's rules depends on the theme and the width; the rest is the same page.
_OF_LOOKS = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")


@pytest.fixture(scope="module")
def world():
    with scratch_directory("world") as folder, open_world(folder) as world:
        yield world


@pytest.mark.parametrize("viewer", [NOBODY, SOMEBODY, ADMIN, FIRST], ids=["nobody", "somebody", "admin", "first"])
def test_every_page_is_sound(browser, world, viewer):
    found = []
    with visit(browser, world.url_for(viewer), account=world.people[viewer]) as window:
        for shown in PAGES + OPENED:
            if shown.viewer != viewer:
                continue
            window.page.emulate_media(color_scheme="light")
            window.page.set_viewport_size(WIDE)
            look_at(window, shown)
            found += [f"{shown.name}: {fault}" for fault in find_faults(window)]
            window.page.emulate_media(color_scheme="dark")
            window.page.set_viewport_size(NARROW)
            window.settle()
            found += [f"{shown.name}, dark and narrow: {fault}" for fault in find_faults(window, *_OF_LOOKS)]
    assert found == []
