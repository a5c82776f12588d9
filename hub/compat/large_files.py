"""The large files of a repository as huggingface_hub lists, copies and removes them. Hugging Face contract, 7.5."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.compat import views, xet_schemas
from hub.compat.addresses import CompatBlueprint, Place, next_link
from hub.compat.repositories import kind_named
from hub.compat.schemas import HubDoneSchema
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import entries
from hub.repos.lfs import housekeeping
from hub.repos.models import Repository

blp = CompatBlueprint("large_files", __name__, description="Large files as huggingface_hub manages them")


@blp.at("/lfs-files")
@blp.arguments(xet_schemas.HubLargeFilesQuery, location="query")
@blp.response(200, xet_schemas.HubLargeFileSchema(many=True))
def list_large_files(query: dict[str, Any], place: Place) -> Response:
    """What the repository holds in LFS, whether or not a commit names it; the next page is in the ``Link`` header."""
    context, repository = current_context(), place.get()
    with reading(context) as work:
        held, has_more = housekeeping.list_held(
            work, actor=current_actor(), repository_id=repository.id, after=query["cursor"], limit=query["limit"]
        )
    paths = _paths_by_oid(context, repository) if held else {}
    ref = f"refs/heads/{repository.default_branch}"
    items = [
        {
            "fileOid": found.oid,
            "oid": found.oid,
            "filename": paths.get(found.oid, ""),
            "pushedAt": views.time_text(found.held_at),
            "ref": ref if found.oid in paths else None,
            "size": found.size_bytes,
        }
        for found in held
    ]
    return views.send_json(items, {"Link": next_link(cursor=held[-1].oid)} if has_more else None)


def _paths_by_oid(context: Context, repository: Repository) -> dict[str, str]:
    """A path of each object that the default branch has; nothing of a branch with very many files."""
    try:
        snapshot = entries.read_snapshot(context, repository, revision=repository.default_branch, with_sizes=True)
    except NotFound:
        return {}
    return {entry.lfs.oid: entry.path for entry in snapshot.entries or () if entry.lfs is not None}


@blp.at("/lfs-files/batch", method="POST")
@blp.arguments(xet_schemas.HubRemovalsBody)
@blp.response(200, HubDoneSchema)
def remove_large_files(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Remove large files for good, where asked for from all commits, too. Who administers the repository may."""
    deletions = body["deletions"]
    housekeeping.remove_held(
        current_context(),
        actor=current_actor(),
        repository_id=place.get().id,
        oids=deletions["sha"],
        rewrites_history=deletions["rewriteHistory"],
    )
    return {"success": True}


@blp.at("/lfs-files/duplicate", method="POST")
@blp.arguments(xet_schemas.HubCopiesBody)
@blp.response(200, xet_schemas.HubCopiesSchema)
def copy_large_files(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Let another repository hold large files of this one, without moving a byte; a commit there may name them then."""
    context, target = current_context(), body["target"]
    namespace, _, name = target["name"].partition("/")
    there = Place(kind_named(context, target["type"]), namespace, name)
    with unit_of_work(context) as work:
        missing = housekeeping.copy_held(
            work,
            actor=current_actor(),
            source_id=place.load(work).id,
            target_id=there.load(work).id,
            oids=[file["sha256"] for file in body["files"]],
        )
    return {"failed": [{"sha256": oid, "error": "The repository has no such file."} for oid in sorted(missing)]}
