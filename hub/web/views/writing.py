"""Pages on which people write: a new repository, a new file, a change to one, its removal, an upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.accounts.policy import Actor
from hub.accounts.service.namespaces import list_namespaces_for_new
from hub.assets.service.catalogue import list_labels
from hub.base.errors import Invalid, NotFound, NotSignedIn
from hub.base.names import branch_ref, normalise_path
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.repository import find_revision, is_empty
from hub.git.types import Blob, EntryKind, TreeEntry
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.words import words_from
from hub.repos import contents
from hub.repos.entries import read_entries
from hub.repos.gates import check_content
from hub.repos.kinds import RepositoryKind
from hub.repos.lookup import repository_path
from hub.repos.revisions import split_revision
from hub.web.pages import render_page, wants_part
from hub.web.places import suggest_branch
from hub.web.repository import RepositoryPage, open_page, render_repository_page
from hub.web.routing import KIND, REPOSITORY, quote_revision

blueprint = Blueprint("writing", __name__)

# Longer texts are for Git: an editor in a page has to hold them several times over.
MAX_EDITED_BYTES = 2 * 1024 * 1024
MARKDOWN = (".md", ".markdown", ".mdx")


def get_writer() -> Actor:
    """Who is signed in. Raises NotSignedIn."""
    actor = current_actor()
    if actor.is_anonymous:
        raise NotSignedIn(gettext("Sign in to write here."))
    return actor


@blueprint.get(f"{KIND}/new")
def new_repository(kind: RepositoryKind) -> Response:
    """The form for a new repository. ``namespace``, ``name``: what it begins with."""
    viewer = get_writer()
    with reading(current_context()) as work:
        namespaces = list_namespaces_for_new(work, actor=viewer)
        labels = list_labels(work, actor=viewer, scopes=[kind.name], categories=["license"], is_builtin=True)
    chosen = [field for field in kind.details if field.choices and len(field.choices) > 1]
    return render_page(
        "writing/new_repository.html",
        page="N2" if kind.name == "space" else "N1",
        kind=kind,
        namespaces=namespaces,
        chosen=request.args.get("namespace", viewer.name),
        name=request.args.get("name", ""),
        licenses=[label.name for label in labels.items],
        fields=chosen,
    )


@dataclass(frozen=True)
class Base:
    """What a change starts from. commit_id: of the branch; "": the repository holds nothing yet."""

    repo: RepositoryPage
    branch: str
    commit_id: str
    path: str

    @property
    def folder(self) -> str:
        """The folder of the file."""
        return self.path.rpartition("/")[0]


def open_base(kind: RepositoryKind, namespace: str, name: str, words: list[str], *, path: str | None = None) -> Base:
    """The branch that an address names, and the path behind it, or the given one.

    Raises NotFound, NotSignedIn; Invalid (``not_a_branch``) for a tag or a commit, which nobody can add to.
    """
    repo = open_page(kind, namespace, name, tab="files")
    get_writer()
    context = current_context()
    check_content(context, current_actor(), repo.shown)
    if path is None:
        branch, found = split_revision(context, repo.shown, words)
    else:
        branch, found = "/".join(words), path
    disk_path = repository_path(context.settings, repo.shown)
    commit_id = offload(find_revision, disk_path, branch_ref(branch))
    if commit_id is None and not (branch == repo.shown.default_branch and offload(is_empty, disk_path)):
        if offload(find_revision, disk_path, branch) is None:
            raise NotFound(gettext("There is no branch %(name)s.", name=branch[:80]), code="branch_not_found")
        raise Invalid(
            gettext("%(name)s is no branch: changes can be made to branches only.", name=branch[:80]),
            code="not_a_branch",
        )
    return Base(repo, branch, commit_id or "", normalise_path(found, allow_root=True))


def _render(template: str, base: Base, **values: Any) -> Response:
    page, branch = base.repo, quote_revision(base.branch)
    return render_repository_page(
        template,
        page,
        base=base,
        branch=base.branch,
        path=base.path,
        commit_id=base.commit_id,
        suggested_branch=suggest_branch(),
        upload_url=page.url(branch, "upload", path=base.folder),
        **values,
    )


@blueprint.get(f"{REPOSITORY}/<path:revision>/new")
def new_file(kind: RepositoryKind, namespace: str, name: str, revision: str) -> Response:
    """An empty editor. ``path``: the folder, or the whole path, that it begins with."""
    base = open_base(kind, namespace, name, words_from("revision")[:-1], path=request.args.get("path", ""))
    start = base.path
    if start and "." not in start.rpartition("/")[2]:
        start += "/"
    return _render(
        "writing/edit.html", base, page="F3", is_new=True, text="", start=start, sha="", newline="\n", can_edit=True
    )


@blueprint.get(f"{REPOSITORY}/edit/<path:rest>")
def edit_file(kind: RepositoryKind, namespace: str, name: str, rest: str) -> Response:
    """A file in the editor; what is no text, or in LFS, can be renamed."""
    base = open_base(kind, namespace, name, words_from("rest"))
    read = contents.read_file(
        current_context(),
        base.repo.shown,
        actor=current_actor(),
        path=base.path,
        revision=base.commit_id,
        limit_bytes=MAX_EDITED_BYTES,
    )
    text = _text_of(read.blob)
    return _render(
        "writing/edit.html",
        base,
        page="F3",
        is_new=False,
        text=text or "",
        start=base.path,
        sha=read.entry.oid,
        newline="\r\n" if text and "\r\n" in text and "\n" not in text.replace("\r\n", "") else "\n",
        can_edit=text is not None,
        refusal=_refusal_of(read.blob),
    )


def _text_of(blob: Blob) -> str | None:
    """The text that an editor can give back byte by byte, or None."""
    if blob.lfs is not None or not blob.is_whole or b"\0" in blob.data:
        return None
    try:
        return blob.data.decode()
    except UnicodeDecodeError:
        return None


def _refusal_of(blob: Blob) -> str:
    if blob.lfs is not None:
        words = gettext("This file is in LFS: upload its new version instead. Here it can be renamed.")
    elif not blob.is_whole:
        words = gettext("This file is too large for an editor: change it with Git. Here it can be renamed.")
    else:
        words = gettext("This file is no text: upload its new version instead. Here it can be renamed.")
    return str(words)


@blueprint.get(f"{REPOSITORY}/delete/<path:rest>")
def delete_file(kind: RepositoryKind, namespace: str, name: str, rest: str) -> Response:
    """The question before a file or a folder goes."""
    base = open_base(kind, namespace, name, words_from("rest"))
    entry = _find_entry(base)
    return _render("writing/delete.html", base, page="F3", entry=entry, is_folder=entry.kind is EntryKind.DIRECTORY)


def _find_entry(base: Base) -> TreeEntry:
    if base.path and base.commit_id:
        _, found = read_entries(current_context(), base.repo.shown, revision=base.commit_id, paths=[base.path])
        if found:
            return found[0]
    raise NotFound(gettext("There is no such file on this branch."), code="entry_not_found")


@blueprint.get(f"{REPOSITORY}/<path:revision>/upload")
def upload(kind: RepositoryKind, namespace: str, name: str, revision: str) -> Response:
    """The uploader. ``path``: the folder that files go into. The list of files opens it as a part of itself."""
    base = open_base(kind, namespace, name, words_from("revision")[:-1], path=request.args.get("path", ""))
    template = "writing/_uploader.html" if wants_part() else "writing/upload.html"
    return _render(template, base, page="F4", in_dialog=wants_part())
