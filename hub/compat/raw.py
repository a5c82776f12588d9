"""Files as Git holds them, for huggingface_hub's addresses. Source: Hugging Face contract, section 4."""

from __future__ import annotations

from flask import Response, request

from hub.base.errors import Invalid, NotFound
from hub.compat.addresses import CompatBlueprint, Place, revision_and_path
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ranges import Content, disposition, send_content
from hub.repos import contents
from hub.repos.gates import check_content

blp = CompatBlueprint("raw", __name__, description="Files as Git holds them")


@blp.at_file("/raw/<revision>/<path:path>")
@blp.response(200, content_type="text/plain", description="the file's bytes")
@blp.alt_response(206, description="the range of bytes that was asked for")
def show_file(place: Place, revision: str, path: str) -> Response:
    """A file's bytes in Git; of content in LFS the pointer. Never redirected, and no download."""
    context, repository, actor = current_context(), place.get(), current_actor()
    check_content(context, actor, repository)
    revision, path = revision_and_path(context, repository)
    commit_id = contents.resolve(context, repository, revision)
    try:
        file = contents.open_stored(context, repository, actor=actor, path=path, revision=commit_id)
    except (NotFound, Invalid) as error:
        if error.code not in ("entry_not_found", "not_a_file"):
            raise
        raise NotFound(str(error), code="entry_not_found", commit_id=commit_id) from None
    headers = {
        "X-Repo-Commit": commit_id,
        "Content-Disposition": disposition(file.entry.name, kind="inline"),
        "Content-Type": "text/plain; charset=utf-8",
    }
    if request.args.get("download", "").lower() in ("true", "1"):
        headers["Content-Disposition"] = disposition(file.entry.name)
    return send_content(Content(file.size_bytes, file.etag, file.open_range), headers=headers)
