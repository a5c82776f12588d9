"""What the pages of issues and pull requests have in common: what one may do, and names and numbers as links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from flask_babel import get_locale, gettext
from markupsafe import Markup

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.community.models import Discussion
from hub.community.service.marks import find_mentions, find_references, locate
from hub.community.service.naming import Named, find_named
from hub.db.uow import UnitOfWork
from hub.repos.rows import Shown
from hub.repos.service.listing import Access
from hub.web.markdown import Link, render_markdown
from hub.web.routing import repository_url


@dataclass(frozen=True)
class Rights:
    """What a viewer may do in a discussion.

    refusal: why they may not say anything in it; "": they may. is_author: it is theirs. can_edit: give it another
    title or status. can_write, can_manage: to the repository, while it is not archived.
    """

    refusal: str
    is_author: bool
    can_edit: bool
    can_write: bool
    can_manage: bool

    @property
    def can_speak(self) -> bool:
        return not self.refusal


def rights_in(discussion: Discussion | None, shown: Shown, access: Access, viewer: Actor) -> Rights:
    """What a viewer may do in a discussion, or (None) on a repository's community as a whole."""
    is_frozen = shown.archived_at is not None
    can_write = access.can_write and not is_frozen
    refusal = ""
    if viewer.is_anonymous:
        refusal = gettext("Sign in to take part.")
    elif is_frozen:
        refusal = gettext("This repository is archived and can only be read.")
    elif discussion is not None and discussion.locked_at is not None and not can_write:
        refusal = gettext("This conversation is locked: only people who may write to the repository can comment.")
    is_author = discussion is not None and viewer.user_id is not None and discussion.user_id == viewer.user_id
    can_edit = not viewer.is_anonymous and not is_frozen and (is_author or can_write)
    return Rights(refusal, is_author, can_edit, can_write, access.can_manage and not is_frozen)


# Names and numbers in texts.

# A link in a text: what it names, as ``marks`` finds it (a name or a path, and a number), and where it leads.
_Links = tuple[tuple[tuple[str, int | None], str], ...]

# Texts up to this length are kept as HTML, the last ones.
_KEPT_CHARS = 8_192
_KEPT = 512


def text_renderer(work: UnitOfWork, shown: Shown, texts: Iterable[str], *, viewer: Actor) -> Callable[..., Markup]:
    """What makes HTML of the given texts about a repository: ``render(text, key="7")``.

    The people and discussions that they name are links, as far as they are there for the viewer.
    """
    named, context = find_named(work, shown, texts, actor=viewer), work.context
    site = context.settings.effective_base_url

    def render(text: str, key: str = "") -> Markup:
        links = _links_in(context, named, text)
        if not links:
            return render_markdown(text, is_breaks=True, key=key)
        draw = _draw_kept if len(text) <= _KEPT_CHARS else _draw
        return draw(text, key, links, f"{site} {get_locale()}")

    return render


def _links_in(context: Context, named: Named, text: str) -> _Links:
    found: dict[tuple[str, int | None], str] = {}
    for name in find_mentions(text):
        if person := named.people.get(name):
            found[name, None] = f"/profile/{person}"
    for path, number in find_references(text):
        if place := named.threads.get((path, number)):
            found[path, number] = repository_url(context, place.kind, place.path, "community", str(place.number))
    return tuple(found.items())


def _draw(text: str, key: str, links: _Links, _place: str) -> Markup:
    urls = dict(links)

    def find_links(prose: str) -> Iterator[Link]:
        for spot in locate(prose):
            if url := urls.get((spot.name, spot.number)):
                yield Link(spot.start, spot.end, url)

    return render_markdown(text, is_breaks=True, linkers=[find_links], key=key)


# By all that it depends on: what is linked is among it.
_draw_kept = lru_cache(_KEPT)(_draw)
