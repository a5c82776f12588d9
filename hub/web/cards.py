"""Repositories as cards: what lists, profiles, collections and searches show of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flask_babel import gettext, ngettext

from hub.accounts.policy import Actor
from hub.accounts.service.avatars import avatars_of
from hub.assets.records.mcp import find_servers
from hub.assets.records.skills import latest_of, versions_of
from hub.assets.service.labels import Label, labels_shown
from hub.assets.service.likes import liked_by
from hub.assets.service.modelmetadata import briefs_shown
from hub.db.uow import UnitOfWork
from hub.repos.downloads import count_recent
from hub.repos.kinds import RepositoryKind, get_kind
from hub.repos.rows import Shown
from hub.web.pages import is_own_address
from hub.web.routing import repository_url

# As the platform marks them; source: web UI contract, section 6 (D3).
NEW_FOR = timedelta(days=14)


@dataclass(frozen=True)
class CardView:
    """What a card shows of a repository, beside what its row says (``shown``).

    avatar: an address on this hub, or "". task: its first label of that category. parameters: of a model, or None.
    rows: of a data set, in words. facts: further short texts that only its kind has. downloads: of the last 30 days.
    note: why it is in a collection, or where a search found its words.
    """

    shown: Shown
    kind: RepositoryKind
    url: str
    avatar: str
    task: Label | None
    license: str
    parameters: int | None
    rows: str
    facts: tuple[str, ...]
    downloads: int
    is_liked: bool
    is_new: bool
    note: str = field(default="", compare=False)

    @property
    def owner(self) -> str:
        """The name of the user or organisation."""
        return self.shown.namespace.path

    @property
    def is_of_organization(self) -> bool:
        """Whether an organisation owns it."""
        return self.shown.namespace.kind.value == "organization"


def card_views(work: UnitOfWork, viewer: Actor, rows: Sequence[Shown]) -> list[CardView]:
    """Cards of repositories that the viewer may see, in their order.

    Five queries at most, whatever their number, and one for each kind whose files say something of them; two and one
    for rows that a list read with ``modelmetadata.ALSO``.
    """
    ids = [row.id for row in rows]
    labels = labels_shown(work, rows)
    briefs = briefs_shown(work, rows)
    liked = liked_by(work, actor=viewer, repository_ids=ids)
    avatars = avatars_of(work, {row.namespace_id for row in rows})
    downloads = count_recent(work, repository_ids=ids)
    facts = _facts_of(work, rows)
    now = datetime.now(UTC)
    found = []
    for row in rows:
        of_category = {label.category: label for label in reversed(labels.get(row.id, []))}
        size, brief, avatar = of_category.get("size"), briefs.get(row.id), avatars.get(row.namespace_id, "")
        license = of_category.get("license")
        found.append(
            CardView(
                shown=row,
                kind=get_kind(work.context, row.kind),
                url=repository_url(work.context, row.kind, row.path),
                avatar=avatar if is_own_address(avatar) else "",
                task=of_category.get("task"),
                license=row.license or (license.name if license else ""),
                parameters=brief.parameters if brief else None,
                rows=(size.show_name or size.name) if size and row.kind == "dataset" else "",
                facts=facts.get(row.id, ()),
                downloads=downloads.get(row.id, 0),
                is_liked=row.id in liked,
                is_new=now - row.created_at < NEW_FOR,
            )
        )
    return found


def _facts_of(work: UnitOfWork, rows: Sequence[Shown]) -> dict[int, tuple[str, ...]]:
    """What only their kinds have. One query for MCP servers, and one for skills."""
    found: dict[int, tuple[str, ...]] = {}
    for row in rows:
        if row.kind == "space" and (sdk := row.details.get("sdk")):
            found[row.id] = (str(sdk),)
    for id, server in find_servers(work, [row.id for row in rows if row.kind == "mcpserver"]).items():
        offers = [ngettext("%(num)s tool", "%(num)s tools", server.tools_num)]
        if server.prompts_num:
            offers.append(ngettext("%(num)s prompt", "%(num)s prompts", server.prompts_num))
        if server.resources_num:
            offers.append(ngettext("%(num)s resource", "%(num)s resources", server.resources_num))
        found[id] = (*offers, *server.transports)
    for id, versions in versions_of(work, [row.id for row in rows if row.kind == "skill"]).items():
        if latest := latest_of(versions):
            found[id] = (gettext("Version %(version)s", version=latest.version),)
    return found
