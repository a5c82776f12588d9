"""Where the contents that somebody asked for by their SHA-256 lie in their repositories."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import select

from hub.base.context import Context
from hub.base.errors import HubError
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.tree import find_pointers
from hub.repos.lookup import repository_path
from hub.repos.models import LFSObject, Repository
from hub.repos.models_upkeep import LFSUse

# Of a repository and content.
Held = tuple[int, str]
_AT_ONCE = 500
# As many as are walked through in a tenth of a second: what is told is one of the names, and the count needs none.
_MAX_WALKED = 20_000


def find_paths(context: Context, wanted: Collection[Held]) -> dict[Held, str]:
    """By repository and oid, a path that has the content: of the last look at all commits, or of the default branch.

    What is on another branch only, and was not looked at, is left out. The files of each repository are gone through
    once at most.
    """
    found: dict[Held, str] = {}
    for repository_id, held in groupby(sorted(wanted), itemgetter(0)):
        paths = _find_in(context, repository_id, [oid for _, oid in held])
        found.update(((repository_id, oid), path) for oid, path in paths.items())
    return found


def _find_in(context: Context, repository_id: int, oids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    sizes: dict[str, int] = {}
    with reading(context) as work:
        for start in range(0, len(oids), _AT_ONCE):
            some = oids[start : start + _AT_ONCE]
            used = select(LFSUse.oid, LFSUse.path).where(LFSUse.repository_id == repository_id, LFSUse.oid.in_(some))
            found.update(dict(work.rows(used)))
            left = select(LFSObject.oid, LFSObject.size_bytes).where(LFSObject.oid.in_({*some} - {*found}))
            sizes.update(dict(work.rows(left)))
        repository = work.session.get(Repository, repository_id)
    if not sizes or repository is None:
        return found
    path = repository_path(context.settings, repository)
    try:
        branch = repository.default_branch
        return found | offload(find_pointers, path, branch, sizes, max_walked=_MAX_WALKED)
    except HubError:  # there is no such branch yet, or the repository is gone
        return found
