"""REST of what could harm whoever uses a repository's files. Ours: the contract has no routes for it."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.api import security_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.schemas import JobSchema
from hub.api.views import job_view
from hub.assets.security.reports import FileSecurity, find_security
from hub.assets.security.revisions import request_scan
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("security", __name__, url_prefix=PREFIX, description="What scans found in files")


def _file_view(file: FileSecurity) -> dict[str, Any]:
    imports: list[dict[str, str]] | None = None
    if file.imports is not None:
        imports = [{"module": module, "name": name, "safety": safety} for module, name, safety in file.imports]
    return {
        "path": file.path,
        "size": file.size_bytes,
        "oid": file.oid,
        "lfs": file.is_lfs,
        "state": file.state.value,
        "reason": file.reason,
        "findings": file.findings,
        "imports": imports,
    }


@blp.at("/security")
@blp.arguments(schemas.SecurityQuery, location="query")
@blp.response(200, enveloped(schemas.SecuritySchema))
def show_security(query: dict[str, Any], address: Address) -> Response:
    """What was found in a revision's files: how many are in each state, and a page of them with the findings."""
    found = find_security(
        current_context(),
        address.get(),
        actor=current_actor(),
        revision=query["ref"],
        state=query.get("state"),
        path=query["path"],
        page=page_args(),
    )
    view = {
        "commit": found.commit_id,
        "state": found.state.value,
        "counts": found.counts,
        "file_count": found.file_count,
        "current": found.is_current,
        "scanned_at": found.scanned_at,
        "total": found.total,
        "files": [_file_view(file) for file in found.files],
    }
    return send_json(ok(view))


@blp.at("/security", method="POST")
@blp.arguments(schemas.ScanBody)
@blp.response(202, enveloped(JobSchema))
def scan_revision(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Have a revision looked through. The default branch is after each push, without being asked for."""
    job = request_scan(current_context(), actor=current_actor(), repository=address.get(), revision=body["ref"])
    return ok(job_view(job))
