"""What a repository is, what lists of them say, its branches and its history. CSGHub contract, sections 3.1 and 3.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response

from hub.accounts.service import find_namespace
from hub.assets.service import labels_of
from hub.base.paging import Page, PageArgs
from hub.compat import schemas, views
from hub.compat.addresses import CompatBlueprint, Place, next_link, revision_only
from hub.db.uow import reading
from hub.git.types import Branch, Tag
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import entries, service
from hub.repos.kinds import RepositoryKind
from hub.repos.rows import RepositoryRow

blp = CompatBlueprint("information", __name__, description="Repositories as huggingface_hub reads them")

_SORTS = {
    "lastModified": "recently_update",
    "createdAt": "recently_update",
    "downloads": "most_download",
    "likes": "most_favorite",
    "trendingScore": "trending",
}
_CONVERTS = "refs/convert/"


@blp.get("/api/<collection:kind>")
@blp.arguments(schemas.HubListQuery, location="query")
@blp.response(200, schemas.HubInfoSchema(many=True))
def list_repositories(query: dict[str, Any], kind: RepositoryKind) -> Response:
    """The repositories of a kind that the caller may see; the next page's address is in the ``Link`` header."""
    actor, limit = current_actor(), query["limit"]
    if limit < 1:
        return views.send_json([])
    args = PageArgs(query["cursor"], min(limit, schemas.MAX_LIST))
    with reading(current_context()) as work:
        page: Page[RepositoryRow] = Page([], 0)
        if not query["author"] or find_namespace(work, query["author"]) is not None:
            page = service.list_repositories(
                work,
                actor=actor,
                kind=kind.name,
                namespace=query["author"] or None,
                search=query["search"],
                sort=_SORTS.get(query["sort"], "recently_update"),
                page=args,
            )
        labels = labels_of(work, [repository.id for repository in page.items])
        items = [views.info_view(repository, labels.get(repository.id, ())) for repository in page.items]
    has_more = len(items) == args.per and limit > args.per
    link = next_link(cursor=str(args.page + 1), limit=str(limit - args.per)) if has_more else ""
    return views.send_json(items, {"Link": link} if link else None)


@blp.at("", "/revision/<path:revision>")
@blp.arguments(schemas.HubInfoQuery, location="query")
@blp.response(200, schemas.HubInfoSchema)
def show_repository(query: dict[str, Any], place: Place, revision: str = "") -> Response:
    """A repository at one of its revisions, with all its files; no envelope. ``sha`` is the commit in every case."""
    context, expand = current_context(), query["expand"]
    with reading(context) as work:
        repository = place.load(work)
        labels = labels_of(work, [repository.id]).get(repository.id, [])
    asked = revision_only(repository) if revision else repository.default_branch
    snapshot = entries.read_snapshot(context, repository, revision=asked, with_sizes=query["blobs"])
    view = views.info_view(repository, labels, snapshot)
    if expand:
        view = {name: value for name, value in view.items() if name in ("_id", "id", *expand)}
    return views.send_json(view)


@blp.at("/refs")
@blp.response(200, schemas.HubRefsSchema)
def list_refs(place: Place) -> dict[str, Any]:
    """The branches and tags, at most 5,000 of each."""
    branches, tags = entries.read_refs(current_context(), place.get())
    return {"branches": _refs(branches), "tags": _refs(tags), "converts": []}


def _refs(found: Sequence[Branch | Tag]) -> list[dict[str, Any]]:
    return [{"name": ref.name, "ref": ref.ref, "targetCommit": ref.target.id} for ref in found]


@blp.at("/commits/<path:revision>")
@blp.arguments(schemas.HubCommitsQuery, location="query")
@blp.response(200, schemas.HubCommitSchema(many=True))
def list_commits(query: dict[str, Any], place: Place, revision: str) -> Response:
    """A revision's commits, newest first; the next page's address is in the ``Link`` header."""
    repository, offset, limit = place.get(), query["cursor"], query["limit"]
    commits, has_more = entries.read_commits(
        current_context(), repository, revision=revision_only(repository), offset=offset, limit=limit
    )
    link = {"Link": next_link(cursor=str(offset + limit))} if has_more else None
    return views.send_json([views.commit_view(commit) for commit in commits], link)
