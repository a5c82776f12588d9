"""REST of what is in a repository: trees, files, history, differences, archives. Contract: CSGHub, 4.2 and 5.4."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Response
from marshmallow import fields

from hub.api import schemas, views
from hub.api.envelope import enveloped, ok, send_json, valued
from hub.base.errors import Invalid
from hub.git.archive import ArchiveFormat
from hub.git.types import Blob, Commit
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.files import send_file
from hub.http.paging import page_args
from hub.http.ranges import disposition
from hub.http.routing import BYTES, PREFIX, Address, RepositoryBlueprint
from hub.repos import archives, comparison, contents, selections
from hub.repos.contents import Directory
from hub.repos.lastcommits import find_last_commits, quick_last_commits, read_last_commits
from hub.repos.lfs.links import download_address
from hub.repos.models import Repository
from hub.repos.rows import Shown

blp = RepositoryBlueprint("contents", __name__, url_prefix=PREFIX, description="Files, history and differences")

# Larger files are not sent inside JSON.
MAX_BLOB_IN_JSON_BYTES = 10 * 1024 * 1024
ALL_FILES_PER_PAGE = 100
_MIMETYPES: dict[str, str] = {"tar.gz": "application/gzip", "zip": "application/zip"}


# History.


@blp.at("/last_commit")
@blp.arguments(schemas.RefQuery, location="query")
@blp.response(200, enveloped(schemas.CommitSchema))
def show_last_commit(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The commit at the tip of a branch."""
    return ok(views.commit_view(comparison.read_last_commit(current_context(), address.get(), query["ref"])))


@blp.at("/commits")
@blp.arguments(schemas.CommitsQuery, location="query")
@blp.response(200, enveloped(schemas.CommitsSchema))
def list_commits(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """A page of a branch's commits, newest first, or of those that touched a path. Messages are escaped for HTML."""
    page = page_args()
    history = contents.read_history(
        current_context(),
        address.get(),
        revision=query["ref"],
        path=query["path"],
        offset=page.offset,
        limit=page.per,
    )
    # Here, and only here, the platform sends messages ready for a page. Source: CSGHub contract, section 4.2.
    commits = [view | {"message": html.escape(view["message"])} for view in map(views.commit_view, history.commits)]
    return ok({"commits": commits, "total": history.total, "page_count": -(-history.total // page.per)})


@blp.at("/commit/<commit_id>")
@blp.response(200, enveloped(schemas.CommitDiffSchema))
def show_commit(address: Address, commit_id: str) -> dict[str, Any]:
    """One commit with what it changed against its first parent."""
    return ok(
        views.commit_diff_view(
            comparison.read_commit(current_context(), address.get(), commit_id, actor=current_actor())
        )
    )


@blp.at("/diff")
@blp.arguments(schemas.DiffQuery, location="query")
@blp.response(200, enveloped(schemas.DiffSchema, many=True))
def show_diff(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The paths that differ between two commits."""
    changed = comparison.read_changed_paths(
        current_context(), address.get(), left=query["left_commit_id"], right=query["right_commit_id"]
    )
    view = {"added": changed.added, "removed": changed.removed, "modified": changed.modified}
    return ok([view | ({"truncated": True} if changed.is_truncated else {})])


@blp.at("/compare")
@blp.arguments(schemas.CompareQuery, location="query")
@blp.response(200, enveloped(schemas.CompareSchema))
def compare(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """What ``head`` holds that ``base`` does not: commits, and the difference from where they parted."""
    return ok(
        views.comparison_view(comparison.compare(current_context(), address.get(), actor=current_actor(), **query))
    )


@blp.at("/blame/<path:path>")
@blp.arguments(schemas.BlameQuery, location="query")
@blp.response(200, enveloped(schemas.BlameHunkSchema, many=True))
def blame(query: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Which commit brought which lines of a file, at most 2,000 lines from ``first_line`` on."""
    hunks = comparison.blame_file(
        current_context(),
        address.get(),
        actor=current_actor(),
        path=path,
        revision=query["ref"],
        first_line=query["first_line"],
        last_line=query["last_line"],
    )
    commits = {hunk.commit.id: views.commit_view(hunk.commit) for hunk in hunks}
    return ok([views.blame_view(hunk, commits) for hunk in hunks])


# Directories.


def _file_views(
    repository: Shown, path: str, directory: Directory, *, find: Callable[..., Mapping[str, Commit] | None]
) -> list[dict[str, Any]]:
    """The views of a page of one directory, with the last commits that ``find`` knows."""
    context, page = current_context(), directory.page
    commits = find(
        context,
        repository,
        commit_id=directory.commit_id,
        path=path.strip("/"),
        offset=page.offset,
        limit=len(page.entries),
    )
    render = views.FileViews(context, repository, directory.commit_id).view
    return [render(entry, commits.get(entry.name) if commits else None) for entry in page.entries]


@blp.at("/tree")
@blp.arguments(schemas.TreeQuery, location="query")
@blp.response(200, enveloped(schemas.FileSchema, many=True))
def show_tree(query: dict[str, Any], address: Address) -> Response:
    """The first 500 entries of a directory, directories first. For more, and for large ones: refs/{ref}/tree.

    The last commits are told of a directory that has no more, in a history of at most 1,000 commits; of others when
    somebody has asked for them by ``logs_tree``.
    """
    repository = address.look()
    directory = contents.read_directory(current_context(), repository, revision=query["ref"], path=query["path"])
    find = quick_last_commits if directory.page.next_cursor is None else find_last_commits
    return send_json(ok(_file_views(repository, query["path"], directory, find=find)))


@blp.at("/refs/<path:ref>/tree/", "/refs/<path:ref>/tree/<path:path>")
@blp.arguments(schemas.TreePageQuery, location="query")
@blp.response(200, enveloped(schemas.TreePageSchema))
def show_tree_page(query: dict[str, Any], address: Address, ref: str, path: str = "") -> Response:
    """A page of a directory, directories first. ``Cursor`` leads to the next one and is empty at the end."""
    repository = address.look()
    directory = contents.read_directory(
        current_context(),
        repository,
        revision=ref,
        path=path,
        limit=query["limit"],
        cursor=query["cursor"] or None,
    )
    files = _file_views(repository, path, directory, find=find_last_commits)
    return send_json(ok({"Files": files, "Cursor": directory.page.next_cursor or ""}))


@blp.at("/refs/<path:ref>/logs_tree/", "/refs/<path:ref>/logs_tree/<path:path>")
@blp.arguments(schemas.LogsTreeQuery, location="query")
@blp.response(200, enveloped(schemas.LogsTreeSchema))
def show_logs_tree(query: dict[str, Any], address: Address, ref: str, path: str = "") -> dict[str, Any]:
    """For some entries of a directory, in the tree's order, the commit that touched each last.

    The first to ask for a commit's directory waits for a walk through the history; the answer is kept.
    """
    entries = read_last_commits(
        current_context(), address.get(), revision=ref, path=path, offset=query["offset"], limit=query["limit"]
    )
    folder = f"{path.strip('/')}/" if path.strip("/") else ""
    return ok(
        {
            "Commits": [
                {"name": entry.name, "path": f"{folder}{entry.name}"}
                | (views.commit_view(entry.commit) if entry.commit else {})
                for entry in entries
            ]
        }
    )


@blp.at("/all_files")
@blp.arguments(schemas.AllFilesQuery, location="query")
@blp.response(200, schemas.AllFilesSchema)
def list_all_files(query: dict[str, Any], address: Address) -> Response:
    """Everything in a revision, 100 entries a page, directories included; ``cursor`` leads to the next page."""
    context, repository = current_context(), address.get()
    directory = contents.read_all_files(
        context, repository, revision=query["ref"], limit=ALL_FILES_PER_PAGE, cursor=query["cursor"] or None
    )
    render = views.FileViews(context, repository, directory.commit_id).view
    files = [render(entry) for entry in directory.page.entries]
    return send_json(ok(files, cursor=directory.page.next_cursor or ""))


@blp.at("/size/<path:branch>")
@blp.response(200, enveloped(schemas.SizeSchema))
def show_size(address: Address, branch: str) -> dict[str, Any]:
    """The bytes of the whole repository, and of the files of one branch."""
    repository = address.get()
    total = repository.git_size_bytes + repository.lfs_size_bytes
    size_bytes = contents.measure_files(current_context(), repository, revision=branch)
    return ok({"total_size": total, "last_commit_size": size_bytes})


# Files.


@blp.at("/raw/<path:path>")
@blp.arguments(schemas.RefQuery, location="query")
@blp.response(200, valued(fields.String(), "Text"))
def show_raw(query: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """A file's text, as Git holds it: an LFS file gives its pointer."""
    return ok(
        contents.read_text(current_context(), address.get(), actor=current_actor(), path=path, revision=query["ref"])
    )


@blp.at("/blob/<path:path>")
@blp.arguments(schemas.RefQuery, location="query")
@blp.response(200, enveloped(schemas.FileSchema))
def show_blob(query: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """A file with its content in base64; without it when the file is too large or in LFS."""
    context, repository = current_context(), address.get()
    read = contents.read_file(
        context, repository, actor=current_actor(), path=path, revision=query["ref"], limit_bytes=MAX_BLOB_IN_JSON_BYTES
    )
    view = views.FileViews(context, repository, read.commit_id).view(read.entry)
    view["preview_code"] = _preview_code(read.blob)
    if read.blob.is_whole and read.blob.lfs is None:
        view["content"] = base64.b64encode(read.blob.data).decode()
    return ok(view)


def _preview_code(blob: Blob) -> int:
    """0 text, 1 too large, 2 not text. Source: CSGHub contract, section 5.4."""
    if not blob.is_whole or blob.lfs is not None:
        return 1
    return 2 if blob.is_binary else 0


@blp.at("/resolve/<path:path>")
@blp.arguments(schemas.RefQuery, location="query")
@blp.response(200, content_type="application/octet-stream", description="the file's bytes")
@blp.alt_response(206, description="the range of bytes that was asked for")
@blp.alt_response(302, description="to the object store, which sends the bytes")
def download_file(query: dict[str, Any], address: Address, path: str) -> Response:
    """A file's bytes, LFS content included; one range of them when asked. Contract: CSGHub, section 3.4."""
    return _send_file(address.get(), path, query["ref"])


@blp.at("/download/<path:path>")
@blp.arguments(schemas.DownloadQuery, location="query")
@blp.response(200, valued(fields.String(), "Address"), description="the file's bytes; with lfs=true, an address")
@blp.alt_response(200, schema=BYTES, content_type="application/octet-stream")
@blp.alt_response(206, description="the range of bytes that was asked for")
@blp.alt_response(302, description="to the object store, which sends the bytes")
def download_file_or_object(query: dict[str, Any], address: Address, path: str) -> Response:
    """As resolve; or, with ``lfs=true`` and an LFS object's path in place of a file's, where the object can be got."""
    repository = address.get()
    if not query["lfs"]:
        return _send_file(repository, path, query["ref"], filename=query["save_as"])
    url = download_address(
        current_context(),
        actor=current_actor(),
        repository=repository,
        oid=path.replace("/", ""),
        filename=query["save_as"] or None,
    )
    return send_json(ok(url))


def _send_file(repository: Repository, path: str, revision: str, *, filename: str = "") -> Response:
    context = current_context()
    file = contents.open_file(context, repository, actor=current_actor(), path=path, revision=revision)
    return send_file(context, file, repository_id=repository.id, filename=filename)


@blp.at('/archive/<path:ref>.<any("tar.gz", "zip"):format>')
@blp.response(200, content_type="application/gzip", description="the archive")
@blp.alt_response(200, schema=BYTES, content_type="application/zip")
def download_archive(address: Address, ref: str, format: str) -> Response:
    """A revision's files as one archive; LFS content is in it as pointers."""
    return _send_archive(address.get(), ref, format)


@blp.at("/download_archive/refs/<path:ref>")
@blp.response(200, content_type="application/zip", description="the archive")
def download_zip(address: Address, ref: str) -> Response:
    """A revision's files as a zip, by the address that the platform's clients know."""
    return _send_archive(address.get(), ref, "zip")


@blp.at("/selection/<path:ref>.zip")
@blp.arguments(schemas.SelectionQuery, location="query")
@blp.response(200, content_type="application/zip", description="the archive")
def download_selection(query: dict[str, Any], address: Address, ref: str) -> Response:
    """Some files and folders of a revision as a ZIP, content in LFS included. Ours: the platform has none such.

    Nothing is compressed. More than 10,000 files or 100 GiB are 413 (``selection_too_large``).
    """
    chosen = selections.zip_selection(
        current_context(),
        address.get(),
        actor=current_actor(),
        revision=ref,
        folder=query["folder"],
        names=query["name"],
    )
    headers = {"Content-Disposition": disposition(f"{chosen.name}.zip"), "X-Repo-Commit": chosen.commit_id}
    response = Response(chosen.chunks, mimetype="application/zip", headers=headers)
    response.direct_passthrough = True
    return response


def _send_archive(repository: Repository, ref: str, format: str) -> Response:
    if format not in _MIMETYPES:
        raise Invalid("An archive is a tar.gz or a zip.", code="REQ-ERR-6")
    commit_id, body = archives.archive_revision(
        current_context(), repository, actor=current_actor(), revision=ref, format=cast(ArchiveFormat, format)
    )
    filename = f"{repository.name}-{ref.replace('/', '-')}.{format}"
    headers = {"Content-Disposition": disposition(filename), "X-Repo-Commit": commit_id}
    response = Response(body, mimetype=_MIMETYPES[format], headers=headers)
    response.direct_passthrough = True
    return response
