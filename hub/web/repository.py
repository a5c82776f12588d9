"""What every page of a repository has in common: opening it, its head and its tabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Response, request, url_for
from sqlalchemy import String, cast, func, literal
from werkzeug.routing import RequestRedirect

from hub.assets.search.choices import SHORT_KEYS
from hub.assets.service.known import KnownLabel
from hub.assets.service.labels import LABEL_IDS, labels_shown
from hub.assets.service.likes import liked_by
from hub.community.service.board import count_open, open_count_of
from hub.community.service.watches import find_level
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.words import readdressed
from hub.repos.addresses import CloneAddresses
from hub.repos.kinds import COMMUNITY, RepositoryKind
from hub.repos.lookup import ID_AT_PATH
from hub.repos.rows import RepositoryRow, Shown
from hub.repos.service import get_shown
from hub.repos.service.listing import Access, access_of
from hub.web.i18n import gettext
from hub.web.label_titles import label_title
from hub.web.navigation import Section, list_nav_items
from hub.web.pages import render_page
from hub.web.routing import repository_url

_NEW_FOR = timedelta(days=14)
# What a head shows of them, in this order; those of others only as many as there is room for.
_TAG_ORDER = ("task", "framework", "license", "language", "size", "modality", "format", "industry")
_QUERY_OF = {category: key for key, category in SHORT_KEYS.items()}
# Where mirrors come from, as people say it.
SOURCES = {"opencsg": "OpenCSG", "huggingface": "Hugging Face", "modelscope": "ModelScope"}


@dataclass(frozen=True)
class TagLink:
    """A label of a repository. url: of the list of all that carry it."""

    category: str
    name: str
    title: str
    url: str


@dataclass(frozen=True)
class TabLink:
    """A tab of a repository. count: what stands beside its title; None: nothing."""

    name: str
    title: str
    url: str
    is_active: bool
    count: int | None = None


@dataclass(frozen=True)
class RepositoryPage:
    """A repository as its pages show it: ``repo`` in their templates."""

    kind: RepositoryKind
    shown: Shown
    access: Access
    is_liked: bool
    tab: str
    labels: Sequence[KnownLabel] = ()
    open_threads: int = 0
    watch: str = "participating"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return self.shown.id

    @property
    def path(self) -> str:
        """``namespace/name``."""
        return self.shown.path

    def url(self, *rest: str, revision: str = "", **query: Any) -> str:
        """The address of one of its pages: ``repo.url("blob", "a/b.txt", revision="main")``; of the first without."""
        return repository_url(current_context(), self.shown.kind, self.path, *rest, revision=revision, **query)

    @property
    def api(self) -> str:
        """The beginning of its addresses in the REST API."""
        return f"/api/v1/{self.kind.api_collection or self.kind.collection}/{self.path}"

    @property
    def can_edit(self) -> bool:
        """Whether the viewer may change its files."""
        return self.access.can_write and self.shown.archived_at is None

    @property
    def is_new(self) -> bool:
        """Whether it was made in the last two weeks."""
        return datetime.now(UTC) - self.shown.created_at.astimezone(UTC) < _NEW_FOR

    @property
    def origin(self) -> str:
        """The hub that it mirrors, in words; "" for one that is at home here."""
        return SOURCES.get(self.shown.source, "")

    def tags(self) -> list[TagLink]:
        """Its labels, those first that people look for first."""
        found = [
            TagLink(
                category=label.category,
                name=label.name,
                title=label_title(label.category, label.name, label.show_name),
                url=self.list_url(label),
            )
            for label in self.labels
        ]
        order = {category: rank for rank, category in enumerate(_TAG_ORDER)}
        return sorted(found, key=lambda tag: order.get(tag.category, len(order)))

    def list_url(self, label: KnownLabel) -> str:
        """The list of the kind's repositories that carry a label."""
        key = _QUERY_OF.get(label.category, "task")
        return f"/{self.kind.page_path}?{key}={quote(label.name, safe='')}"

    @property
    def clone_urls(self) -> tuple[str, str]:
        """The addresses for ``git clone`` over HTTP and SSH."""
        return CloneAddresses(current_context()).of(self.shown)

    def tabs(self) -> list[TabLink]:
        """The tabs that the viewer may open, in order; plugins' after those of the kind."""
        viewer = current_actor()
        found = [
            TabLink(
                *(tab.name, gettext(tab.title), self.url(*_segments(tab.name, is_first)), tab.name == self.tab),
                count=self.open_threads or None if tab is COMMUNITY else None,
            )
            for is_first, tab in ((tab is self.kind.tabs[0], tab) for tab in self.kind.tabs)
            if tab.name != "settings" or self.access.can_manage
        ]
        arguments: dict[str, Any] = {"kind": self.kind, "namespace": self.shown.namespace.path, "name": self.shown.name}
        for item in list_nav_items(current_context(), Section.REPOSITORY, viewer=viewer, kind=self.kind.name):
            found.append(
                TabLink(item.label, gettext(item.label), url_for(item.endpoint, **arguments), item.label == self.tab)
            )
        return found


def _segments(tab: str, is_first: bool) -> tuple[str, ...]:
    return () if is_first else (tab,)


def open_page(kind: RepositoryKind, namespace: str, name: str, *, tab: str) -> RepositoryPage:
    """The repository at an address, for a page of it. tab: the name of the one that the page belongs to.

    Raises NotFound, also where the viewer may not read it; RequestRedirect to where it is today, or to how its name
    is written.
    """
    with reading(current_context()) as work:
        return open_page_in(work, kind, namespace, name, tab=tab)


def open_page_in(work: UnitOfWork, kind: RepositoryKind, namespace: str, name: str, *, tab: str) -> RepositoryPage:
    """As ``open_page``, in a unit of work that the page reads more in."""
    actor = current_actor()
    asked = f"{namespace}/{name}"
    shown = get_shown(work, actor=actor, kind=kind.name, path=asked, also=_ALSO)
    if shown.path != asked and request.method == "GET":
        raise RequestRedirect(_moved(kind, shown.path))
    access = access_of(work, actor=actor, repositories=[shown])[shown.id]
    is_liked = shown.id in liked_by(work, actor=actor, repository_ids=[shown.id])
    labels = labels_shown(work, [shown]).get(shown.id, [])
    watch = find_level(work, actor=actor, repository_id=shown.id).value
    if isinstance(shown, RepositoryRow):
        open_threads = int(shown.also.rpartition(";")[2])
        # What lists read with their rows is something else.
        shown = shown._replace(also=None, has_also=False)
    else:
        open_threads = count_open(work, shown.id)
    return RepositoryPage(kind, shown, access, is_liked, tab, labels, open_threads, watch)


# With the labels' ids and how much is open, what every page of a repository shows is one query.
_ALSO = func.coalesce(LABEL_IDS, "") + literal(";") + cast(open_count_of(ID_AT_PATH), String)


def _moved(kind: RepositoryKind, path: str) -> str:
    """The page's own address with the repository's path of today in it."""
    return readdressed(1 + len(kind.page_path.split("/")), *path.split("/"))


def render_repository_page(template: str, repo: RepositoryPage, **values: Any) -> Response:
    """A page whose template extends ``repository/base.html``."""
    return render_page(template, repo=repo, **values)
