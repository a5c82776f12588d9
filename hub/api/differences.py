"""REST of changed files, a page at a time: of a commit and between two revisions. The contract has no such routes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response

from hub.api import difference_schemas as schemas
from hub.api.envelope import ok, send_json
from hub.git.types import LFSPointer
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos import differences
from hub.repos.differences import FILES_PER_PAGE, Asked, ChangedFile, FilesPage

blp = RepositoryBlueprint("differences", __name__, url_prefix=PREFIX, description="Changed files, a page at a time")


def asked_for(query: dict[str, Any]) -> Asked:
    """What a request wants of a diff."""
    return Asked(
        page_args(default=FILES_PER_PAGE),
        path=query["path"],
        hunks=query["hunks"],
        ignore_whitespace=query["ignore_whitespace"],
    )


def files_answer(page: FilesPage) -> Response:
    """A page of changed files as it is sent."""
    return send_json(
        ok(
            {
                "old": page.old,
                "new": page.new,
                "files": [_file_view(file) for file in page.files],
                "total": page.total,
                "additions": page.additions,
                "deletions": page.deletions,
                "truncated": page.is_truncated,
            }
        )
    )


def _file_view(file: ChangedFile) -> dict[str, Any]:
    change, measure = file.change, file.measure
    view = {
        "path": change.path,
        "old_path": change.old_path,
        "status": change.status.value,
        "similarity": change.similarity,
        "additions": measure.additions,
        "deletions": measure.deletions,
        "binary": measure.is_binary,
        "image": file.is_image,
        "old_mode": f"{change.old_mode:06o}" if change.old_mode else "",
        "new_mode": f"{change.new_mode:06o}" if change.new_mode else "",
        "old_oid": change.old_oid,
        "new_oid": change.new_oid,
        "old_size": measure.old_lfs.size_bytes if measure.old_lfs else measure.old_size,
        "new_size": measure.new_lfs.size_bytes if measure.new_lfs else measure.new_size,
        "old_lfs": _lfs_view(measure.old_lfs),
        "new_lfs": _lfs_view(measure.new_lfs),
        "collapsed": file.collapsed,
        "truncated": bool(file.lines and file.lines.is_truncated),
    }
    return view | ({"hunks": [asdict(hunk) for hunk in file.lines.hunks]} if file.lines is not None else {})


def _lfs_view(pointer: LFSPointer | None) -> dict[str, Any] | None:
    return {"oid": pointer.oid, "size": pointer.size_bytes} if pointer else None


@blp.at("/commit/<commit_id>/files")
@blp.arguments(schemas.ChangedFilesQuery, location="query")
@blp.response(200, schemas.ChangedFilesEnvelope)
def list_commit_files(query: dict[str, Any], address: Address, commit_id: str) -> Response:
    """The files that a commit changed against its first parent, 100 at a time; their lines where asked for."""
    return files_answer(
        differences.list_commit_files(
            current_context(), address.get(), commit_id, actor=current_actor(), asked=asked_for(query)
        )
    )


@blp.at("/compare/<path:base>...<path:head>/files")
@blp.arguments(schemas.ChangedFilesQuery, location="query")
@blp.response(200, schemas.ChangedFilesEnvelope)
def list_compared_files(query: dict[str, Any], address: Address, base: str, head: str) -> Response:
    """The files that ``head`` changed since it parted from ``base``, 100 at a time; their lines where asked for."""
    return files_answer(
        differences.list_compared_files(
            current_context(), address.get(), actor=current_actor(), base=base, head=head, asked=asked_for(query)
        )
    )
