"""What somebody was told: the page of notifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from flask import Blueprint, Response, request

from hub.community.models import Notification
from hub.community.service.notifications import list_notifications
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import KINDS, RepositoryKind
from hub.web.account_settings import notification_types
from hub.web.pages import is_own_address, render_page
from hub.web.signed_in import require_viewer

blueprint = Blueprint("inbox", __name__)

PER_PAGE = 20


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
    """The newest first, those of one repository that follow each other together. ``type``, ``unread``: only those."""
    viewer, args = require_viewer(), page_args(default=PER_PAGE)
    type, is_unread = request.args.get("type", ""), request.args.get("unread") == "1"
    with reading(current_context()) as work:
        inbox = list_notifications(work, actor=viewer, type=type, is_unread_only=is_unread, page=args)
    return render_page(
        "people/notifications.html",
        page="N1",
        state="ready" if inbox.page.items else "empty",
        groups=group_by_place(inbox.page.items),
        total=inbox.page.total,
        unread=inbox.unread,
        types=notification_types(),
        type=type,
        is_unread=is_unread,
        args=args,
    )


def group_by_place(items: Sequence[Notification]) -> list[Group]:
    """Those that follow each other and are about the same repository, together."""
    kinds = list(current_context()[KINDS].values())
    placed = [(item, find_place(item.url, kinds)) for item in items]
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
