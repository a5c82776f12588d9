"""Files as Git holds them, for huggingface_hub's addresses. Source: Hugging Face contract, section 4."""

from __future__ import annotations

from flask import Response, request

from hub.compat.addresses import CompatBlueprint, Place
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ranges import Content, disposition, send_content
from hub.http.words import words_from
from hub.repos import contents

blp = CompatBlueprint("raw", __name__, description="Files as Git holds them")


@blp.at_file("/raw/<revision>/<path:path>")
@blp.response(200, content_type="text/plain", description="the file's bytes")
@blp.alt_response(206, description="the range of bytes that was asked for")
def show_file(place: Place, revision: str, path: str) -> Response:
    """A file's bytes in Git; of content in LFS the pointer. Never redirected, and no download."""
    context, repository = current_context(), place.look()
    words = words_from("revision")
    file = contents.open_at(context, repository, actor=current_actor(), words=words, as_stored=True)
    headers = {
        "X-Repo-Commit": file.commit_id,
        "Content-Disposition": disposition(file.entry.name, kind="inline"),
        "Content-Type": "text/plain; charset=utf-8",
    }
    if request.args.get("download", "").lower() in ("true", "1"):
        headers["Content-Disposition"] = disposition(file.entry.name)
    return send_content(Content(file.size_bytes, file.etag, file.open_range), headers=headers)
