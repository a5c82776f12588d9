"""Directories and files of a revision, as huggingface_hub reads them.

Source: CSGHub contract, sections 3.1, 3.3 and 3.4; Hugging Face contract, sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request

from hub.assets.security.reports import FileSecurity, statuses_of
from hub.base.context import Context
from hub.base.errors import Invalid, TooLarge
from hub.compat import schemas, views
from hub.compat.addresses import CompatBlueprint, Place, next_link, revision_and_path, revision_only
from hub.compat.xet import fetch_headers
from hub.git.types import Commit, TreeEntry
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.files import send_file, shown_headers
from hub.http.ranges import disposition
from hub.http.words import words_from
from hub.repos import contents, entries
from hub.repos.lfs.pieces import ids_of_pieces
from hub.repos.rows import Shown

blp = CompatBlueprint("trees", __name__, description="Directories and files as huggingface_hub reads them")

MAX_PATHS = 1000
_TRUE = frozenset({"true", "1", "yes", "on"})


@blp.at_file("/resolve/<revision>/<path:path>")
@blp.response(200, content_type="application/octet-stream", description="the file's bytes")
@blp.alt_response(206, description="the range of bytes that was asked for")
@blp.alt_response(302, description="to the object store, which sends the bytes")
def download_file(place: Place, revision: str, path: str) -> Response:
    """A file's bytes, LFS content included. A HEAD tells commit, size and hash and is never redirected."""
    context, repository = current_context(), place.look()
    # Where there is no file, the answer has the commit: the client remembers it and asks no more.
    file = contents.open_at(context, repository, actor=current_actor(), words=words_from("revision"))
    headers = {"Content-Disposition": _disposition(file.entry.name), **shown_headers(file.entry.name)}
    if file.lfs is not None:
        headers |= fetch_headers(context, repository, place.kind, oid=file.lfs.oid, commit_id=file.commit_id)
    return send_file(context, file, repository_id=repository.id, redirects_head=False, headers=headers)


def _disposition(filename: str) -> str:
    """The client's pattern of a name ends with a semicolon. Browsers show a file unless they ask for a download."""
    kind = "attachment" if request.args.get("download", "").lower() in _TRUE else "inline"
    head, _, encoded = disposition(filename, kind=kind).rpartition("; ")
    kind, _, plain = head.partition("; ")
    return f"{kind}; {encoded}; {plain};"


@blp.at("/tree/<revision>", "/tree/<revision>/<path:path>")
@blp.arguments(schemas.HubTreeQuery, location="query")
@blp.response(200, schemas.HubEntrySchema(many=True))
def show_tree(query: dict[str, Any], place: Place, revision: str, path: str = "") -> Response:
    """A page of a directory, or of all that is below it. The next page's address is in the ``Link`` header."""
    context, repository = current_context(), place.look()
    revision, path = revision_and_path(context, repository)
    most = schemas.MAX_TREE_EXPANDED if query["expand"] else schemas.MAX_TREE
    directory = entries.read_tree(
        context,
        repository,
        revision=revision,
        path=path,
        is_recursive=query["recursive"],
        limit=min(query["limit"] or most, most),
        cursor=query["cursor"] or None,
    )
    page = directory.page
    link = {"Link": next_link(cursor=page.next_cursor)} if page.next_cursor else None
    return views.send_json(
        _entry_views(context, repository, directory.commit_id, page.entries, is_expanded=query["expand"]), link
    )


@blp.at("/paths-info/<path:revision>", method="POST")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            media_type: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "paths": {"type": "array", "items": {"type": "string"}, "maxItems": MAX_PATHS},
                        "expand": {"type": "boolean"},
                    },
                    "required": ["paths"],
                }
            }
            for media_type in ("application/x-www-form-urlencoded", "application/json")
        },
    }
)
@blp.response(200, schemas.HubEntrySchema(many=True))
def show_paths(place: Place, revision: str) -> Response:
    """What is there at these paths; a path at which nothing is is left out."""
    context, repository = current_context(), place.look()
    paths, expand = _read_paths()
    commit_id, found = entries.read_entries(context, repository, revision=revision_only(repository), paths=paths)
    return views.send_json(_entry_views(context, repository, commit_id, found, is_expanded=expand))


def _entry_views(
    context: Context, repository: Shown, commit_id: str, found: Sequence[TreeEntry], *, is_expanded: bool
) -> list[dict[str, Any]]:
    commits: Mapping[str, Commit] = {}
    security: Mapping[str, FileSecurity] = {}
    if is_expanded:
        commits = entries.last_commits_of(context, repository, commit_id=commit_id, entries=found)
        security = statuses_of(context, repository, actor=current_actor(), entries=found)
    oids = {entry.lfs.oid for entry in found if entry.lfs is not None}
    pieces = ids_of_pieces(context, repository_id=repository.id, oids=oids)
    return [
        views.entry_view(
            entry,
            commits.get(entry.path),
            pieces.get(entry.lfs.oid, "") if entry.lfs else "",
            security.get(entry.path),
        )
        for entry in found
    ]


def _read_paths() -> tuple[list[str], bool]:
    """The paths of a form or of JSON, and whether their last commits are wanted."""
    paths: Any
    if request.is_json:
        body = request.get_json()
        paths, expand = (body.get("paths"), body.get("expand")) if isinstance(body, dict) else (None, None)
        paths = [paths] if isinstance(paths, str) else paths
    else:
        paths, expand = request.form.getlist("paths"), request.form.get("expand")
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Invalid("'paths' must be a list of paths.", code="REQ-ERR-4")
    if len(paths) > MAX_PATHS:
        raise TooLarge(f"At most {MAX_PATHS} paths at once.")
    return paths, str(expand).lower() in _TRUE
