"""A repository's branches and other refs, and its history. Sources: CSGHub contract, 3.2; Hugging Face contract, 6."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from flask import Response

from hub.compat import schemas, views
from hub.compat.addresses import CompatBlueprint, Place, next_link, revision_only
from hub.git.types import Branch, Tag
from hub.http.context import current_context
from hub.repos import entries

blp = CompatBlueprint("information", __name__, description="Repositories as huggingface_hub reads them")

_CONVERTS = "refs/convert/"
_PULLS = "refs/pr/"


@blp.at("/refs")
@blp.arguments(schemas.HubRefsQuery, location="query")
@blp.response(200, schemas.HubRefsSchema)
def list_refs(query: dict[str, Any], place: Place) -> dict[str, Any]:
    """The branches and tags, what the hub converted, and pull requests where asked for; at most 5,000 of each."""
    context, repository = current_context(), place.get()
    branches, tags = entries.read_refs(context, repository)
    view = {"branches": _refs(branches), "tags": _refs(tags), "converts": []}
    view["converts"] = _others(entries.read_other_refs(context, repository, prefix=_CONVERTS), _CONVERTS)
    if query["include_prs"]:
        view["pullRequests"] = _others(entries.read_other_refs(context, repository, prefix=_PULLS), _PULLS)
    return view


def _refs(found: Sequence[Branch | Tag]) -> list[dict[str, Any]]:
    return [{"name": ref.name, "ref": ref.ref, "targetCommit": ref.target.id} for ref in found]


def _others(found: Sequence[tuple[str, str]], prefix: str) -> list[dict[str, Any]]:
    return [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit_id} for ref, commit_id in found]


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
    items = [views.commit_view(commit) for commit in commits]
    if "formatted" in {*query["expand"], *query["expand_too"]}:
        for item in items:
            item["formatted"] = {name: escape(item[name], quote=False) for name in ("title", "message")}
    return views.send_json(items, link)
