"""The seam: repositories, for plugins whose things belong to one."""

from __future__ import annotations

from hub.base.context import Context
from hub.repos.checks import IncomingPush
from hub.repos.gates import require_content
from hub.repos.models import Repository
from hub.repos.revisions import find_at
from hub.repos.service import get_readable

__all__ = ["IncomingPush", "Repository", "find_commit", "get_readable", "require_content"]


def find_commit(context: Context, repository: Repository, revision: str = "") -> str:
    """The id of the commit that a branch, a tag or a commit's id means; empty: the default branch.

    Raises NotFound (``revision_not_found``).
    """
    return find_at(context, repository, (revision or repository.default_branch,))[0]
