"""What a repository wants said in new issues and pull requests: files of its default branch."""

from __future__ import annotations

from dataclasses import dataclass

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import HubError
from hub.git.types import EntryKind
from hub.repos.contents import read_file
from hub.repos.entries import read_entries
from hub.repos.models import Repository

FOLDERS = (".csg", ".github")
ISSUE = "ISSUE_TEMPLATE.md"
PULL = "PULL_REQUEST_TEMPLATE.md"
MAX_TEMPLATE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Template:
    """A template's text, and the file that it comes from."""

    path: str
    content: str


@dataclass(frozen=True)
class Templates:
    """What there is."""

    issue: Template | None = None
    pull: Template | None = None


def read_templates(context: Context, repository: Repository, *, actor: Actor) -> Templates:
    """The templates of a repository that the actor may read: the first of ``FOLDERS`` that has one counts.

    None where its content is not for the actor, is kept in LFS, is no text, or is over ``MAX_TEMPLATE_BYTES``.
    """
    paths = [f"{folder}/{name}" for name in (ISSUE, PULL) for folder in FOLDERS]
    try:
        commit_id, entries = read_entries(context, repository, revision=repository.default_branch, paths=paths)
    except HubError:  # nothing was pushed yet
        return Templates()
    fits = {
        entry.path
        for entry in entries
        if entry.kind is EntryKind.FILE and entry.lfs is None and (entry.size_bytes or 0) <= MAX_TEMPLATE_BYTES
    }

    def find(name: str) -> Template | None:
        path = next((f"{folder}/{name}" for folder in FOLDERS if f"{folder}/{name}" in fits), None)
        if path is None:
            return None
        try:
            read = read_file(
                context, repository, actor=actor, path=path, revision=commit_id, limit_bytes=MAX_TEMPLATE_BYTES
            )
            content = read.blob.data.decode("utf-8")
        except (HubError, UnicodeDecodeError):
            return None
        return Template(path, content)

    return Templates(find(ISSUE), find(PULL))
