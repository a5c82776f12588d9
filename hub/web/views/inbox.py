"""What somebody was told: the page of notifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from flask import Blueprint, Response, request

from hub.accounts.policy import Actor
from hub.base.paging import PageArgs
from hub.community.models import Notification
from hub.community.service.notifications import list_notifications
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import KINDS, RepositoryKind
from hub.web.account_settings import event_titles
from hub.web.pages import is_own_address, render_page, wants_part
from hub.web.signed_in import require_viewer

blueprint = Blueprint("inbox", __name__)

PER_PAGE = 20
_IN_DRAWER = 8


@dataclass(frozen=True)
class Place:
    """Where something happened: a repository, and the number of a discussion in it. path: "" for none."""

    path: str = ""
    url: str = ""
    api: str = ""
    thread: int | None = None


@dataclass(frozen=True)
class Group:
    """Notifications about one repository, one after the other."""

    place: Place
    items: list[tuple[Notification, Place]] = field(default_factory=list)


@blueprint.get("/notifications")
def show_notifications() -> Response:
    """The newest first, those of one repository that follow each other together; ``by=repository``: all of a page.

    ``event``, ``type``, ``unread``, ``archived``: only those. As a part: the newest few, for the bar.
    """
    viewer, args = require_viewer(), page_args(default=PER_PAGE)
    if wants_part():
        return _show_drawer(viewer)
    type, event = request.args.get("type", ""), request.args.get("event", "")
    is_unread, is_archived = (request.args.get(name) == "1" for name in ("unread", "archived"))
    is_grouped = request.args.get("by") == "repository"
    with reading(current_context()) as work:
        inbox = list_notifications(
            work,
            actor=viewer,
            type=type,
            event=event,
            is_unread_only=is_unread,
            is_archived=is_archived,
            page=args,
        )
    return render_page(
        "people/notifications.html",
        page="N1",
        state="ready" if inbox.page.items else "empty",
        groups=group_by_place(inbox.page.items, is_whole=is_grouped),
        total=inbox.page.total,
        unread=inbox.unread,
        unread_by_event=inbox.unread_by_event,
        events=event_titles(),
        type=type,
        event=event,
        is_unread=is_unread,
        is_archived=is_archived,
        is_grouped=is_grouped,
        args=args,
    )


def _show_drawer(viewer: Actor) -> Response:
    with reading(current_context()) as work:
        inbox = list_notifications(work, actor=viewer, is_archived=False, page=PageArgs(per=_IN_DRAWER))
    return render_page("people/_drawer.html", items=inbox.page.items, unread=inbox.unread)


def group_by_place(items: Sequence[Notification], *, is_whole: bool = False) -> list[Group]:
    """Those about the same repository, together: that follow each other, or (is_whole) wherever they stand.

    The groups are in the order of what is first in each.
    """
    kinds = list(current_context()[KINDS].values())
    placed = [(item, find_place(item.url, kinds)) for item in items]
    if is_whole:
        ranks: dict[str, int] = {}
        for _, place in placed:
            ranks.setdefault(place.path, len(ranks))
        placed.sort(key=lambda pair: ranks[pair[1].path])
    groups = groupby(placed, key=lambda pair: pair[1].path)
    return [Group(found[0][1], found) for found in (list(pairs) for _, pairs in groups)]


def find_place(url: str, kinds: Sequence[RepositoryKind]) -> Place:
    """The place that an address on this hub leads to."""
    if not is_own_address(url):
        return Place()
    for kind in kinds:
        beginning = f"/{kind.page_path}/"
        parts = url.removeprefix(beginning).split("/")
        if url.startswith(beginning) and len(parts) >= 2:
            namespace, name, *rest = parts
            is_thread = len(rest) == 2 and rest[0] == "community" and rest[1].isascii() and rest[1].isdigit()
            api = f"/api/v1/{kind.api_collection or kind.collection}/{namespace}/{name}"
            return Place(
                f"{namespace}/{name}", f"{beginning}{namespace}/{name}", api, int(rest[1]) if is_thread else None
            )
    return Place()
