"""Single commits taken back, or brought to another branch: each on a new branch, for a pull request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, NotFound
from hub.base.names import branch_ref
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.replay import pick, undo
from hub.git.repository import get_commit, list_refs
from hub.git.types import ZERO_OID, Commit, RefChange, Signature
from hub.repos import refs
from hub.repos.lookup import get_for, repository_path

_MAX_NAMES_TRIED = 100
# The id of a commit that was written: of the repository at a path, on a tip, from a commit, by whom.
_Writer = Callable[[Path, str, Commit, Signature], str]


@dataclass(frozen=True)
class Prepared:
    """A new branch with one commit, and the branch that it is for. title: of the commit."""

    commit_id: str
    branch: str
    base: str
    title: str


def revert_commit(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    commit_id: str,
    base: str = "",
    new_branch: str = "",
    via: str = "api",
) -> Prepared:
    """A new branch, beginning at ``base``, with the commit that takes one back; of a merge what it brought.

    base: "" for the default branch. new_branch: "" for ``revert-`` and the commit's id.
    Raises NotFound (``revision_not_found``, ``branch_not_found``), Conflict (``merge_conflict``: with the ``paths``
    that later commits changed, ``branch_exists``), Invalid (``nothing_to_commit``), and what a push may raise.
    """

    def write(path: Path, tip: str, commit: Commit, who: Signature) -> str:
        message = f'Revert "{commit.title}"\n\nThis takes back commit {commit.id}.'
        return undo(path, tip, before=_parent_of(commit), after=commit.id, author=who, message=message)

    return _prepare(context, actor, repository_id, commit_id, base, new_branch, "revert", via, write)


def pick_commit(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    commit_id: str,
    base: str = "",
    new_branch: str = "",
    via: str = "api",
) -> Prepared:
    """As ``revert_commit``, with the commit that does on ``base`` what this one did where it is."""

    def write(path: Path, tip: str, commit: Commit, who: Signature) -> str:
        message = f"{commit.message.strip()}\n\n(cherry picked from commit {commit.id})"
        before = _parent_of(commit)
        return pick(path, tip, before=before, after=commit.id, author=commit.author, committer=who, message=message)

    return _prepare(context, actor, repository_id, commit_id, base, new_branch, "pick", via, write)


def _parent_of(commit: Commit) -> str | None:
    return commit.parent_ids[0] if commit.parent_ids else None


def _prepare(
    context: Context,
    actor: Actor,
    repository_id: int,
    commit_id: str,
    base: str,
    new_branch: str,
    prefix: str,
    via: str,
    write: _Writer,
) -> Prepared:
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    path = repository_path(context.settings, repository)
    commit = offload(get_commit, path, commit_id)
    there = offload(list_refs, path)
    base_ref = branch_ref(base or repository.default_branch)
    tip = there.get(base_ref)
    if tip is None:
        raise NotFound(f"There is no branch {base_ref[11:91]!r}.", code="branch_not_found")
    ref = branch_ref(new_branch) if new_branch else _free_ref(there, f"refs/heads/{prefix}-{commit.id[:8]}")
    if ref in there:
        raise Conflict(f"There is a branch {ref[11:91]!r} already.", code="branch_exists")
    who = Signature(actor.name, actor.email, context.clock.now())
    made = offload(write, path, tip, commit, who)
    refs.receive(context, actor=actor, repository=repository, changes=[RefChange(ref, ZERO_OID, made)], via=via)
    title = offload(get_commit, path, made).title
    return Prepared(made, ref.removeprefix("refs/heads/"), base_ref.removeprefix("refs/heads/"), title)


def _free_ref(there: dict[str, str], wanted: str) -> str:
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, _MAX_NAMES_TRIED))
    return next((name for name in names if name not in there), wanted)
