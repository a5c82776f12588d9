"""Branches and tags made and removed through the web and the API, the default branch, and protected branches."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from hub.accounts.models import Role
from hub.accounts.policy import Action, Actor, require
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.names import MAX_REF_BYTES, branch_ref, tag_ref
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.merge import cut_short
from hub.git.repository import list_refs, resolve_revision, set_head
from hub.git.tags import build_tag
from hub.git.types import ZERO_OID, RefChange, Signature
from hub.repos import refs
from hub.repos.events import RepositoryUpdated
from hub.repos.lookup import get_for, get_readable, repository_path
from hub.repos.models import ProtectedBranch, Repository

MAX_PROTECTED_BRANCHES = 100
MAX_APPROVALS = 20


def create_branch(
    context: Context, *, actor: Actor, repository_id: int, name: str, revision: str = "", via: str = "api"
) -> str:
    """The commit that a new branch points to.

    revision: where it starts; "" for the default branch. Spans Git and the database, so it takes the context.
    Raises Conflict (``branch_exists``), NotFound (``revision_not_found``), Invalid, and what a push may raise.
    """
    return _create_ref(context, actor, repository_id, branch_ref(name), revision, "branch_exists", via)


def create_tag(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    name: str,
    revision: str = "",
    message: str = "",
    via: str = "api",
) -> str:
    """The commit that a new tag points to. Raises as ``create_branch``, with ``tag_exists``.

    message: makes it an annotated tag, an object of its own by the actor; "" for a lightweight one.
    """
    return _create_ref(context, actor, repository_id, tag_ref(name), revision, "tag_exists", via, message=message)


def rename_branch(
    context: Context, *, actor: Actor, repository_id: int, name: str, new_name: str, via: str = "api"
) -> str:
    """The commit that a branch points to, under its new name from now on; the default branch stays the default one.

    Who renames the default branch must administer the repository. May be repeated: what a crash left half done is
    finished. Raises NotFound (``branch_not_found``), Conflict (``branch_exists``), Invalid, and what a push may raise.
    """
    old_ref, new_ref = branch_ref(name), branch_ref(new_name)
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
        is_default = old_ref == branch_ref(repository.default_branch)
        if is_default:
            require(work, actor, Action.REPOSITORY_ADMIN, repository)
    found = offload(list_refs, repository_path(context.settings, repository))
    tip = found.get(old_ref)
    if tip is None:
        raise NotFound(f"There is no branch {name!r}.", code="branch_not_found")
    if old_ref == new_ref:
        return tip
    # A default branch can only go when another has taken its place; the new one may be there from a try before.
    if new_ref in found and not (is_default and found[new_ref] == tip):
        raise Conflict(f"{new_ref!r} is there already.", code="branch_exists")
    changes = [RefChange(new_ref, ZERO_OID, tip)] if new_ref not in found else []
    if is_default:
        if changes:
            refs.receive(context, actor=actor, repository=repository, changes=changes, via=via)
        repository = set_default_branch(context, actor=actor, repository_id=repository_id, name=new_name)
        changes = []
    changes.append(RefChange(old_ref, tip, ZERO_OID))
    refs.receive(context, actor=actor, repository=repository, changes=changes, via=via)
    return tip


def squash_branch(
    context: Context, *, actor: Actor, repository_id: int, name: str, message: str, via: str = "api"
) -> str:
    """The commit without parents that a branch points to from now on: the files as they are, and no history.

    It is a forced push, which a protected branch refuses unless its rule allows them. The old commits stay on disk
    as long as anything else leads to them, and some weeks longer.
    Raises NotFound (``branch_not_found``), Invalid (``ref_invalid``: a tag; ``message_invalid``), Conflict
    (``ref_changed``), and what a push may raise.
    """
    ref = branch_ref(name)
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    path = repository_path(context.settings, repository)
    found = offload(list_refs, path)
    tip = found.get(ref)
    if tip is None:
        if f"refs/tags/{name}" in found or name in found:
            raise Invalid(f"{name[:80]!r} is no branch, so its history cannot be squashed.", code="ref_invalid")
        raise NotFound(f"There is no branch {name[:80]!r}.", code="branch_not_found")
    author = Signature(actor.name, actor.email, context.clock.now())
    commit_id = offload(cut_short, path, tip, author=author, message=message)
    refs.receive(context, actor=actor, repository=repository, changes=[RefChange(ref, tip, commit_id)], via=via)
    return commit_id


def delete_branch(context: Context, *, actor: Actor, repository_id: int, name: str, via: str = "api") -> None:
    """Remove a branch. Raises NotFound (``branch_not_found``), and what a push may raise."""
    _delete_ref(context, actor, repository_id, branch_ref(name), "branch_not_found", via)


def delete_tag(context: Context, *, actor: Actor, repository_id: int, name: str, via: str = "api") -> None:
    """Remove a tag. Raises NotFound (``tag_not_found``), and what a push may raise."""
    _delete_ref(context, actor, repository_id, tag_ref(name), "tag_not_found", via)


def set_default_branch(context: Context, *, actor: Actor, repository_id: int, name: str) -> Repository:
    """The repository, showing and cloning this branch unless another is asked for.

    Raises NotFound (``branch_not_found``), NotSignedIn, Denied. May be repeated.
    """
    repository = check_default_branch(context, actor=actor, repository_id=repository_id, name=name)
    path, branch = repository_path(context.settings, repository), _short(branch_ref(name))
    # HEAD first: a crash leaves a clone's choice one step ahead of the page's, and asking again mends it.
    set_head(path, branch)
    with unit_of_work(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
        if repository.default_branch != branch:
            repository.default_branch = branch
            repository.updated_at = work.now()
            publish(work, RepositoryUpdated(repository.id, actor.user_id, ("default_branch",)))
    return repository


def check_default_branch(context: Context, *, actor: Actor, repository_id: int, name: str) -> Repository:
    """The repository, when ``set_default_branch`` would do it. Raises as that does."""
    ref = branch_ref(name)
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    if ref not in offload(list_refs, repository_path(context.settings, repository)):
        raise NotFound(f"There is no branch {_short(ref)!r}.", code="branch_not_found")
    return repository


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def list_protected_branches(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Sequence[ProtectedBranch]:
    """The rules, by pattern; whoever may write may see them. At most ``MAX_PROTECTED_BRANCHES``.

    Nobody writes to what is archived: there they are for those who administer it. Raises NotFound, NotSignedIn, Denied.
    """
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    action = Action.REPOSITORY_ADMIN if repository.is_frozen else Action.REPOSITORY_WRITE
    require(work, actor, action, repository)
    return _rules_of(work, repository_id)


def _rules_of(work: UnitOfWork, repository_id: int) -> Sequence[ProtectedBranch]:
    return work.session.scalars(
        select(ProtectedBranch).where(ProtectedBranch.repository_id == repository_id).order_by(ProtectedBranch.pattern)
    ).all()


def set_protected_branch(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    pattern: str,
    push_role: Role = Role.WRITE,
    allow_force_push: bool = False,
    allow_deletion: bool = False,
    require_pull: bool = False,
    allow_admins: bool = False,
    required_approvals: int = 0,
    dismiss_stale: bool = False,
    require_resolved: bool = False,
) -> ProtectedBranch:
    """The rule for a pattern of branch names, made or changed.

    pattern: a short branch name in which ``*`` stands for anything and ``?`` for one character.
    require_pull: it changes by merges of pull requests only; allow_admins: whoever administers the repository may push
    to it all the same. required_approvals: before a merge, at most ``MAX_APPROVALS``; dismiss_stale: those given before
    the last commit do not count; require_resolved: nor may a conversation be open.
    Raises Invalid (``pattern_invalid``, ``REQ-ERR-6``), Conflict (``too_many_rules``), NotFound, NotSignedIn, Denied.
    """
    _check_pattern(pattern)
    if not 0 <= required_approvals <= MAX_APPROVALS:
        raise Invalid(f"A merge takes at most {MAX_APPROVALS} approvals.", code="REQ-ERR-6")
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    rules = {rule.pattern: rule for rule in _rules_of(work, repository_id)}
    rule = rules.get(pattern)
    if rule is None:
        if len(rules) >= MAX_PROTECTED_BRANCHES:
            raise Conflict(f"A repository has at most {MAX_PROTECTED_BRANCHES} rules.", code="too_many_rules")
        rule = ProtectedBranch(repository_id=repository_id, pattern=pattern, created_at=work.now())
        work.session.add(rule)
    rule.push_role = push_role
    rule.allow_force_push = allow_force_push
    rule.allow_deletion = allow_deletion
    rule.require_pull = require_pull
    rule.allow_admins = allow_admins
    rule.required_approvals = required_approvals
    rule.dismiss_stale = dismiss_stale
    rule.require_resolved = require_resolved
    work.session.flush()
    return rule


def remove_protected_branch(work: UnitOfWork, *, actor: Actor, repository_id: int, pattern: str) -> None:
    """Remove the rule of a pattern. Raises NotFound (``rule_not_found``), NotSignedIn, Denied."""
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    rule = work.session.scalar(
        select(ProtectedBranch).where(
            ProtectedBranch.repository_id == repository_id, ProtectedBranch.pattern == pattern
        )
    )
    if rule is None:
        raise NotFound("There is no rule of that pattern.", code="rule_not_found")
    work.session.delete(rule)


def _check_pattern(pattern: str) -> None:
    try:
        branch_ref(pattern.replace("*", "x").replace("?", "x"))
    except Invalid:
        raise Invalid(
            "A pattern is a branch name in which '*' and '?' may stand for other characters, "
            f"at most {MAX_REF_BYTES} bytes with 'refs/heads/'.",
            code="pattern_invalid",
        ) from None


def _create_ref(
    context: Context,
    actor: Actor,
    repository_id: int,
    ref: str,
    revision: str,
    taken_code: str,
    via: str,
    *,
    message: str = "",
) -> str:
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    path = repository_path(context.settings, repository)
    if ref in offload(list_refs, path):
        raise Conflict(f"{ref!r} is there already.", code=taken_code)
    commit = offload(resolve_revision, path, revision or repository.default_branch)
    target = commit
    if message.strip():
        tagger = Signature(actor.name, actor.email, context.clock.now())
        name = ref.removeprefix("refs/tags/")
        target = offload(build_tag, path, name, commit_id=commit, tagger=tagger, message=message)
    change = RefChange(ref, ZERO_OID, target)
    refs.receive(context, actor=actor, repository=repository, changes=[change], via=via)
    return commit


def _delete_ref(context: Context, actor: Actor, repository_id: int, ref: str, missing_code: str, via: str) -> None:
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    old = offload(list_refs, repository_path(context.settings, repository)).get(ref)
    if old is None:
        raise NotFound(f"There is no {ref!r}.", code=missing_code)
    refs.receive(context, actor=actor, repository=repository, changes=[RefChange(ref, old, ZERO_OID)], via=via)
