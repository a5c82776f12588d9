"""Where in a repository a page is: a revision and a path, as its address says them."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response
from flask_babel import gettext

from hub.base.errors import NotFound
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git.repository import list_refs
from hub.git.types import TreeEntry
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.words import path_words
from hub.repos.kinds import RepositoryKind
from hub.repos.lookup import repository_path
from hub.repos.revisions import find_at
from hub.repos.rows import Shown
from hub.web.pages import render_page
from hub.web.repository import RepositoryPage

_MAX_OFFERED = 8
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"


@dataclass(frozen=True)
class Crumb:
    """A folder above a path, or the path itself."""

    name: str
    path: str


@dataclass(frozen=True)
class Place:
    """A revision as it was named, the commit that it is today, a path, and what is there; None: nothing is."""

    revision: str
    commit_id: str
    path: str
    entry: TreeEntry | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def crumbs(self) -> list[Crumb]:
        """The path's parts, each with the path up to it."""
        parts = self.path.split("/") if self.path else []
        return [Crumb(part, "/".join(parts[: at + 1])) for at, part in enumerate(parts)]

    @property
    def is_commit(self) -> bool:
        """Whether the revision is the commit's own id, so that it always means the same."""
        return self.revision == self.commit_id


def words_behind(kind: RepositoryKind, *, skip: int = 1) -> list[str]:
    """The words of the request's address behind the repository's. skip: of them, those that name the page."""
    place = 1 + len(kind.page_path.split("/")) + 2 + skip
    return [word for word in path_words()[place:] if word]


def find_place(repo: RepositoryPage, *, skip: int = 1) -> Place:
    """Where the request's address leads; without a revision the root of the default branch.

    Raises NotFound (``revision_not_found``; ``place_not_found``: there is nothing at this path), Invalid.
    """
    words = words_behind(repo.kind, skip=skip) or [repo.shown.default_branch]
    commit_id, path, entry = find_at(current_context(), repo.shown, words)
    length = len(normalise_path(path, allow_root=True).split("/")) if path else 0
    revision = "/".join(words[: len(words) - length]) if length else "/".join(words)
    return Place(revision, commit_id, path, entry)


@dataclass(frozen=True)
class RefNames:
    """The names of branches and tags, sorted."""

    branches: Sequence[str]
    tags: Sequence[str]


def list_ref_names(repository: Shown) -> RefNames:
    """All branches, the default one first, and all tags."""
    refs = offload(list_refs, repository_path(current_context().settings, repository))
    branches = sorted(ref.removeprefix(_BRANCHES) for ref in refs if ref.startswith(_BRANCHES))
    branches.sort(key=lambda name: name != repository.default_branch)
    return RefNames(branches, sorted(ref.removeprefix(_TAGS) for ref in refs if ref.startswith(_TAGS)))


def suggest_branch() -> str:
    """A name for a new branch with changes of who is signed in."""
    return f"{current_actor().name}-patch-{secrets.token_hex(2)}"


def render_nowhere(repo: RepositoryPage, error: NotFound, *, page: str, tab_page: str) -> Response:
    """The page that says that there is no such revision, or nothing at this path, and where one may go on.

    tab_page: the page that the offered branches lead to ("files"). An empty repository says how it is filled.
    """
    names = list_ref_names(repo.shown)
    words = words_behind(repo.kind) or [repo.shown.default_branch]
    is_empty = not names.branches and not names.tags
    if is_empty and "/".join(words) == repo.shown.default_branch:
        return render_page("files/empty.html", repo=repo, page=page, state="empty")
    every = [*names.branches, *names.tags]
    near = difflib.get_close_matches(words[0], every, n=_MAX_OFFERED, cutoff=0.4) if len(every) <= 5000 else []
    return render_page(
        "files/nowhere.html",
        status=404,
        repo=repo,
        page=page,
        state="error",
        message=str(error),
        title=gettext("There is no such revision")
        if error.code == "revision_not_found"
        else gettext("There is nothing at this path"),
        near=near or names.branches[:_MAX_OFFERED],
        tab_page=tab_page,
    )
