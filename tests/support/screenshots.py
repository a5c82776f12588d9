"""Pictures of every page, to be looked at in a minute: ``make screenshots``, or

``python -m tests.support.screenshots FOLDER [PART OF A NAME]``.

A hub with the lifelike world of ``tests.support.demo`` is started, each page opened in both themes, wide and narrow,
and a sheet with all pictures written to FOLDER/index.html. What a page does wrong (errors, barriers) is printed.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Error

from tests.support.browser import NARROW, WIDE, Visitor, open_browser, visit
from tests.support.pages import OPENED, PAGES, Shown
from tests.support.servers import scratch_directory
from tests.support.world import World, find_faults, look_at, open_world, world_at

# Which theme in which width.
VIEWS = tuple((theme, size) for size in ("wide", "narrow") for theme in ("light", "dark"))
MAX_HEIGHT = 2600
SIZES = {"wide": WIDE, "narrow": NARROW}


def take_all(folder: Path, *, only: str = "", view: str = "", locale: str = "en-GB", world: World | None = None) -> int:
    """Write the pictures and the sheet; the number of faults that were seen.

    only, view: regular expressions for names of pages, and for views as ``light-wide``. world: one that is there
    already.
    """
    faults = 0
    folder.mkdir(parents=True, exist_ok=True)
    pages = [page for page in PAGES + OPENED if re.search(only, page.name)]
    with ExitStack() as stack:
        if world is None:
            scratch = stack.enter_context(scratch_directory("world"))
            world = stack.enter_context(open_world(scratch))
        browser = stack.enter_context(open_browser())
        views = [each for each in VIEWS if re.search(view, "-".join(each))]
        for (theme, size), (who, account) in product(views, world.people.items()):
            told: Any = {"account": account, "theme": theme, "size": SIZES[size], "locale": locale}
            with visit(browser, world.url_for(who), **told) as visitor:
                for page in pages:
                    if page.viewer == who:
                        faults += _take(visitor, page, folder, f"{theme}-{size}")
    (folder / "index.html").write_text(_sheet([page.name for page in pages]))
    return faults


def _take(visitor: Visitor, page: Shown, folder: Path, view: str) -> int:
    try:
        look_at(visitor, page)
        # As for paper: diagrams that are far away are drawn.
        visitor.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        visitor.settle()
        seen = find_faults(visitor)
    except Error as error:
        # One page that does not come is no reason not to look at the others.
        seen = [str(error)]
    # Of long pages the beginning.
    height = min(visitor.page.evaluate("document.documentElement.scrollHeight"), MAX_HEIGHT)
    width = visitor.page.evaluate("innerWidth")
    clip: Any = None if page.press else {"x": 0, "y": 0, "width": width, "height": height}
    visitor.page.screenshot(path=folder / f"{page.name}-{view}.png", full_page=clip is not None, clip=clip)
    for fault in seen:
        print(f"{page.name} ({view}): {fault}", flush=True)
    return len(seen)


_STYLE = """
body { font: 14px system-ui; margin: 16px }
section { margin-bottom: 24px }
img { height: 360px; max-width: 560px; object-fit: cover; object-position: top;
  border: 1px solid #ccc; margin-right: 8px }
"""


def _sheet(names: list[str]) -> str:
    """A page with all pictures side by side."""
    rows = []
    for name in names:
        files = [f"{name}-{theme}-{size}.png" for theme, size in VIEWS]
        pictures = "".join(f'<a href="{file}"><img loading="lazy" src="{file}" alt="{file}"></a>' for file in files)
        rows.append(f"<section><h2>{html.escape(name)}</h2>{pictures}</section>")
    return f"<!doctype html><meta charset=utf-8><title>All pages</title><style>{_STYLE}</style>{''.join(rows)}"


def main() -> None:
    """What the command does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("only", nargs="?", default="", help="a regular expression that a page's name must match")
    parser.add_argument("--view", default="", help="a regular expression for the views, as light-wide")
    parser.add_argument("--locale", default="en-GB", help='what the browser asks for, as "zh-CN"')
    parser.add_argument("--at", default="", help="the address of a hub with the world in it, instead of a new one")
    parser.add_argument("--password", default="", help="of everybody at that hub")
    told = parser.parse_args()
    world = world_at(told.at, told.password) if told.at else None
    sys.exit(min(take_all(told.folder, only=told.only, view=told.view, locale=told.locale, world=world), 1))


if __name__ == "__main__":
    main()
