"""Pictures of every page, to be looked at in a minute: ``make screenshots``, or

``python -m tests.support.screenshots FOLDER [PART OF A NAME]``.

A hub with the lifelike world of ``tests.support.demo`` is started, each page opened in both themes, wide and narrow,
and a sheet with all pictures written to FOLDER/index.html. What a page does wrong (errors, barriers) is printed.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.browser import NARROW, WIDE, Visitor, open_browser, visit
from tests.support.demo import Demo
from tests.support.hub import Account, HubServer
from tests.support.servers import scratch_directory

_MODEL, _CODE, _DATASET = (
    "/models/aurora-lab/aurora-7b",
    "/codes/aurora-lab/trainer",
    "/datasets/open-atlas/field-notes",
)
_LONG = (
    "/models/a-very-long-user-name-for-narrow-columns/a-model-with-a-name-that-goes-on-and-on-and-on-for-63-character"
)

# What to look at: the name of the picture, the address, and who looks (nobody, somebody, the administrator).
NOBODY, SOMEBODY, ADMIN = "", "raj-patel", "root"
PAGES: tuple[tuple[str, str, str], ...] = (
    ("home", "/", NOBODY),
    ("home-signed-in", "/", SOMEBODY),
    ("explore", "/explore", NOBODY),
    ("models", "/models", NOBODY),
    ("models-filtered", "/models?task=text-generation&license=apache-2.0&sort=most_download", NOBODY),
    ("models-none", "/models?search=nothing-has-this-name", NOBODY),
    ("datasets", "/datasets", NOBODY),
    ("spaces", "/spaces", NOBODY),
    ("codes", "/codes", NOBODY),
    ("prompts", "/prompts/library", NOBODY),
    ("skills", "/skills", NOBODY),
    ("mcp-servers", "/mcp/servers", NOBODY),
    ("mcp-tools", "/mcp/tools", NOBODY),
    ("collections", "/collections", NOBODY),
    ("search", "/search?q=aurora", NOBODY),
    ("search-none", "/search?q=zzyzx", NOBODY),
    ("model", _MODEL, NOBODY),
    ("model-own", "/models/raj-patel/aurora-7b-chat-GGUF", SOMEBODY),
    ("model-long-name", _LONG, NOBODY),
    ("dataset", _DATASET, NOBODY),
    ("code", _CODE, NOBODY),
    ("space", "/spaces/aurora-lab/chat-demo", NOBODY),
    ("prompt", "/prompts/library/lena-fischer/office-prompts", NOBODY),
    ("skill", "/skills/aurora-lab/model-cards", NOBODY),
    ("mcp-server", "/mcp/servers/northwind/parcels", NOBODY),
    ("mcp-schema", "/mcp/servers/northwind/parcels/schema", NOBODY),
    ("files", f"{_CODE}/files/main", SOMEBODY),
    ("files-model", f"{_MODEL}/files/main", NOBODY),
    ("blob", f"{_CODE}/blob/main/trainer/run.py", NOBODY),
    ("blob-markdown", f"{_CODE}/blob/main/README.md", NOBODY),
    ("blame", f"{_CODE}/blame/main/trainer/run.py", NOBODY),
    ("commits", f"{_CODE}/commits/main", NOBODY),
    ("branches", f"{_CODE}/branches", SOMEBODY),
    ("tags", f"{_CODE}/tags", NOBODY),
    ("edit", f"{_CODE}/edit/main/trainer/run.py", SOMEBODY),
    ("new-file", f"{_CODE}/main/new", SOMEBODY),
    ("upload", f"{_CODE}/main/upload", SOMEBODY),
    ("viewer", f"{_DATASET}/viewer", NOBODY),
    ("lineage", f"{_MODEL}/lineage", NOBODY),
    ("community", f"{_CODE}/community", NOBODY),
    ("issue", f"{_CODE}/community/1", SOMEBODY),
    ("issue-new", f"{_CODE}/community/new?type=issue", SOMEBODY),
    ("pull-new", f"{_CODE}/community/new?type=pr", SOMEBODY),
    ("repository-settings", f"{_CODE}/settings/general", ADMIN),
    ("profile", "/profile/mira-chen", NOBODY),
    ("profile-likes", "/profile/likes/mira-chen", NOBODY),
    ("organization", "/organizations/aurora-lab", NOBODY),
    ("organization-members", "/organizations/aurora-lab/members", SOMEBODY),
    ("organization-new", "/organizations/new", SOMEBODY),
    ("new-model", "/models/new", SOMEBODY),
    ("settings-profile", "/settings/profile", SOMEBODY),
    ("settings-tokens", "/settings/access-token", SOMEBODY),
    ("settings-keys", "/settings/ssh-keys", SOMEBODY),
    ("settings-notifications", "/settings/notifications", SOMEBODY),
    ("settings-appearance", "/settings/appearance", SOMEBODY),
    ("settings-sessions", "/settings/sessions", SOMEBODY),
    ("notifications", "/notifications", SOMEBODY),
    ("my-issues", "/issues", SOMEBODY),
    ("my-pulls", "/pulls", SOMEBODY),
    ("sign-in", "/login", NOBODY),
    ("sign-up", "/signup", NOBODY),
    ("status", "/-/status", NOBODY),
    ("admin", "/admin_panel", ADMIN),
    ("admin-users", "/admin_panel/users", ADMIN),
    ("admin-repositories", "/admin_panel/repositories", ADMIN),
    ("admin-jobs", "/admin_panel/jobs", ADMIN),
    ("admin-plugins", "/-/plugins", ADMIN),
    ("not-found", "/nowhere/at/all", NOBODY),
)
# Of pages that answer with an error on purpose.
EXPECTED = {"not-found": "404"}
# Which theme in which width: all four for people, two of them for the tests.
VIEWS = tuple((theme, size) for size in ("wide", "narrow") for theme in ("light", "dark"))
SIZES = {"wide": WIDE, "narrow": NARROW}


@contextmanager
def open_world(folder: Path) -> Iterator[HubServer]:
    """A hub with the lifelike world in it, at rest."""
    with HubServer(folder / "home", {"rate_limit_account": 10**6, "rate_limit_address": 10**6}) as hub:
        root = hub.create_user(ADMIN, admin=True, scope="admin")
        Demo(hub.url, root.name, root.password).make()
        hub.rest()
        yield hub


def settle(visitor: Visitor) -> None:
    """Wait until the parts that come afterwards have come."""
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.wait_for_function("!document.querySelector('.htmx-request')")


def _people(hub: HubServer) -> dict[str, Account | None]:
    return {NOBODY: None, SOMEBODY: Account(SOMEBODY, "", hub), ADMIN: Account(ADMIN, "", hub)}


def take_all(folder: Path, *, only: str = "") -> int:
    """Write the pictures and the sheet; the number of faults that were seen."""
    faults = 0
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_directory("world") as scratch, open_world(scratch) as hub, open_browser() as browser:
        people = _people(hub)
        pages = [page for page in PAGES if re.search(only, page[0])]
        for theme, size in VIEWS:
            for who, account in people.items():
                with visit(browser, hub.url, account=account, theme=theme, size=SIZES[size]) as visitor:
                    for name, path, viewer in pages:
                        if viewer != who:
                            continue
                        visitor.open(path)
                        settle(visitor)
                        visitor.page.screenshot(path=folder / f"{name}-{theme}-{size}.png", full_page=size == "wide")
                        expected = EXPECTED.get(name, "\0")
                        seen = [fault for fault in visitor.unexpected() if expected not in fault]
                        seen += visitor.find_barriers()
                        visitor.faults.clear()
                        faults += len(seen)
                        for fault in seen:
                            print(f"{name} ({theme}, {size}): {fault}", flush=True)
    (folder / "index.html").write_text(_sheet([name for name, _path, _viewer in pages]))
    return faults


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


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(min(take_all(Path(sys.argv[1]), only="".join(sys.argv[2:])), 1))
