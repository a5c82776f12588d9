"""What the pages of pull requests need beside their services: where one may come from, and where it may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.git.repository import list_branches
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.service.listing import list_repositories
from hub.web.repository import RepositoryPage

# More are typed, not chosen.
_MAX_BRANCHES = 200
_MAX_FORKS = 50


@dataclass(frozen=True)
class Targets:
    """The branches of a repository, and the paths of its forks that the viewer sees; the first ones of each."""

    branches: Sequence[str]
    forks: Sequence[str]


def list_targets(context: Context, repo: RepositoryPage, viewer: Actor) -> Targets:
    """From where to where a new pull request may go."""
    path = repository_path(context.settings, repo.shown)
    branches = [branch.name for branch in offload(list_branches, path, limit=_MAX_BRANCHES).items]
    where = (Repository.forked_from_id == repo.id,)
    with reading(context) as work:
        forks = list_repositories(work, actor=viewer, kind=repo.kind.name, where=where, page=PageArgs(per=_MAX_FORKS))
    return Targets(branches, [fork.path for fork in forks.items])
