"""One file: its text page by page, or the view that its kind has."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from hub.assets.heads.reading import read_page as read_head
from hub.assets.security.reports import statuses_of
from hub.assets.viewer import rows
from hub.base.errors import Conflict, HubError, Invalid, NotFound, Unavailable, Unprocessable
from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.git.types import EntryKind
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos import contents
from hub.repos.contents import OpenedFile
from hub.repos.gates import check_content
from hub.repos.kinds import RepositoryKind
from hub.repos.lfs.sightings import find_uses
from hub.web import blobs
from hub.web.highlight import language_of
from hub.web.markdown import LinkBase, render_document, without_head
from hub.web.notebooks import NotebookError, read_notebook
from hub.web.pages import render_page, wants_part
from hub.web.places import Place, find_place, list_ref_names, render_nowhere
from hub.web.repository import RepositoryPage, open_page, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("blob", __name__)

ROWS_PER_PAGE = 50
TENSORS_PER_PAGE = 50


@blueprint.get(f"{REPOSITORY}/blob/<path:rest>")
def show_blob(kind: RepositoryKind, namespace: str, name: str, rest: str) -> AnyResponse:
    """A file. Parts: "lines", "found" (lines with some words), "table", "head", "checks", "uses" (of LFS content)."""
    repo = open_page(kind, namespace, name, tab="files")
    try:
        place = find_place(repo)
        if place.entry is None:
            raise NotFound(gettext("There is nothing at this path in this revision."), code="entry_not_found")
    except NotFound as error:
        if error.code not in ("revision_not_found", "entry_not_found"):
            raise
        return render_nowhere(repo, error, page="F2", tab_page="files")
    if place.entry.kind is EntryKind.DIRECTORY:
        return redirect(repo.url("files", place.path, revision=place.revision), 302)
    check_content(current_context(), current_actor(), repo.shown)
    if wants_part() and (part := _PARTS.get(request.args.get("part", ""))):
        return part(repo, place)
    return _show(repo, place)


def _open(repo: RepositoryPage, place: Place) -> OpenedFile:
    return contents.open_file(
        current_context(), repo.shown, actor=current_actor(), path=place.path, revision=place.commit_id
    )


def _show(repo: RepositoryPage, place: Place) -> Response:
    entry = place.entry
    assert entry is not None
    values: dict[str, Any] = {
        "place": place,
        "entry": entry,
        "language": language_of(place.path),
        "is_branch": place.revision in list_ref_names(repo.shown).branches,
    }
    if entry.kind is EntryKind.SUBMODULE:
        return render_repository_page("blob/page.html", repo, page="F2", view="submodule", **values)
    try:
        file = _open(repo, place)
    except NotFound as error:
        if error.code != "lfs_object_not_found":
            raise
        return render_repository_page("blob/page.html", repo, page="F2", state="error", view="missing", **values)
    start = blobs.read_start(file)
    is_text = blobs.is_text(start)
    values |= {"file": file, "is_text": is_text, "shown_as": blobs.kind_of(place.path, file.size_bytes)}
    if entry.kind is EntryKind.LINK:
        target = blobs.read_all(file, 4096).decode("utf-8", "replace")
        return render_repository_page("blob/page.html", repo, page="F2", view="link", target=target, **values)
    view, more = _choose(repo, place, file, is_text=is_text, start=start)
    return render_repository_page("blob/page.html", repo, page="F2", view=view, **values, **more)


def _choose(
    repo: RepositoryPage, place: Place, file: OpenedFile, *, is_text: bool, start: bytes
) -> tuple[str, dict[str, Any]]:
    """Which view a file has, and what that needs. ``view=code`` in the address asks for the text."""
    kind = blobs.kind_of(place.path, file.size_bytes)
    if request.args.get("view") == "code" or "line" in request.args:
        kind = "" if is_text else kind
    if kind == "notebook":
        base = LinkBase(repo.url(), place.revision, place.folder)
        try:
            return kind, {"notebook": read_notebook(blobs.read_all(file, blobs.MAX_NOTEBOOK_BYTES), base=base)}
        except NotebookError as error:
            if not is_text:
                raise Unprocessable(str(error)) from None
            return "text", {"problem": str(error), **_text(file)}
    if kind == "markdown":
        text = blobs.read_all(file, blobs.MAX_DOCUMENT_BYTES).decode("utf-8", "replace")
        return kind, {
            "document": render_document(without_head(text), base=LinkBase(repo.url(), place.revision, place.folder))
        }
    if kind:
        return kind, {}
    if not is_text:
        return "binary", {"hex": blobs.hex_rows(start)}
    return "text", _text(file)


def _text(file: OpenedFile) -> dict[str, Any]:
    if file.size_bytes > blobs.MAX_PAGED_BYTES:
        head = blobs.read_lines(file, line=1, at=0)
        return {"text": head, "tail": blobs.read_tail(file)}
    line = blobs.first_shown(_number("line", 1), file.size_bytes)
    return {"text": blobs.read_page_of_text(current_context(), file, line=line, at=0)}


def _number(name: str, default: int) -> int:
    told = request.args.get(name, "")
    if not told:
        return default
    if not told.isascii() or not told.isdigit() or len(told) > 18:
        raise Invalid(f"'{name}' must be a number.", code="REQ-ERR-6", query=name)
    return min(max(int(told), 0), 2**53)


def _lines(repo: RepositoryPage, place: Place) -> Response:
    file = _open(repo, place)
    line, at = max(1, _number("line", 1)), _number("at", 0)
    page = blobs.read_page_of_text(current_context(), file, line=line, at=at)
    return render_page("blob/_lines.html", repo=repo, place=place, text=page)


def _found(repo: RepositoryPage, place: Place) -> Response:
    words = request.args.get("find", "")[:200]
    file = _open(repo, place)
    hits, has_more = ([], False) if not words.strip() else _find(file, words)
    return render_page("blob/_found.html", repo=repo, place=place, hits=hits, has_more=has_more, words=words)


def _find(file: OpenedFile, words: str) -> tuple[list[blobs.Hit], bool]:
    # What Git streams must not leave this thread.
    return offload(blobs.find_in, file, words) if file.local_path is not None else blobs.find_in(file, words)


def _table(repo: RepositoryPage, place: Place) -> Response:
    args = PageArgs(page_args().page, ROWS_PER_PAGE)
    asked = rows.Asked(revision=place.commit_id, path=place.path)
    values: dict[str, Any] = {"table": None, "problem": "", "is_pending": False}
    try:
        values["table"] = rows.read_rows(
            current_context(), repo.shown, asked, actor=current_actor(), offset=args.offset, limit=args.per
        )
    except (Conflict, Unprocessable, Invalid, Unavailable) as error:
        values |= {"problem": str(error), "is_pending": error.code == "table_pending"}
    return render_page("blob/_table.html", repo=repo, place=place, args=args, **values)


def _head(repo: RepositoryPage, place: Place) -> Response:
    args = PageArgs(page_args().page, TENSORS_PER_PAGE)
    search = request.args.get("search", "")[:200]
    values: dict[str, Any] = {"head": None, "problem": "", "is_pending": False}
    try:
        values["head"] = read_head(
            current_context(),
            repo.shown,
            actor=current_actor(),
            path=place.path,
            revision=place.commit_id,
            search=search,
            page=args,
        )
    except (Conflict, Unprocessable) as error:
        values |= {"problem": str(error), "is_pending": error.code == "head_pending"}
    return render_page("blob/_head.html", repo=repo, place=place, args=args, search=search, **values)


def _checks(repo: RepositoryPage, place: Place) -> Response:
    assert place.entry is not None
    try:
        found = statuses_of(current_context(), repo.shown, actor=current_actor(), entries=[place.entry])
    except HubError:
        found = {}
    return render_page("blob/_checks.html", repo=repo, place=place, security=found.get(place.path))


def _uses(repo: RepositoryPage, place: Place) -> Response:
    assert place.entry is not None
    context, actor = current_context(), current_actor()
    seen = find_uses(context, repo.shown, actor=actor, commit_id=place.commit_id, entry=place.entry)
    return render_page("blob/_uses.html", repo=repo, place=place, seen=seen)


_PARTS = {"uses": _uses, "lines": _lines, "found": _found, "table": _table, "head": _head, "checks": _checks}
