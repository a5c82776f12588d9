"""What stands before a merge, one thing after the other; and how a repository wants its pull requests merged.

The rule of a protected branch is judged here for merges, and in ``hub.repos.checks`` for pushes: there a merge goes
through as one (``Purpose.MERGE``) because it was judged here.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from hub.accounts.models import Role
from hub.accounts.policy import Action, Actor, can, role_on
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid
from hub.base.offload import offload
from hub.community.models import DiscussionStatus, PullRequest
from hub.community.models_merging import MergeSettings
from hub.community.service import discussions
from hub.community.service.pulls import conflicts_between, get_pull
from hub.community.service.reviews import count_approvals, count_objections, count_unresolved
from hub.db.uow import UnitOfWork, reading
from hub.git.merge import MergeConflict, MergeMethod, holds
from hub.git.repository import list_refs
from hub.repos.checks import find_rule, list_rules, short_name
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import ProtectedBranch, Repository
from hub.repos.proposals import proposal_ref

METHODS = tuple(MergeMethod)


@dataclass(frozen=True)
class Settings:
    """By which methods a repository's pull requests may be merged, by which unless said, and what follows."""

    methods: tuple[MergeMethod, ...] = METHODS
    default_method: MergeMethod = MergeMethod.AUTO
    delete_source: bool = False

    def choose(self, method: str) -> MergeMethod:
        """The method that was asked for; "": the default one.

        Raises Invalid (``REQ-ERR-6``), Conflict (``merge_method_not_allowed``).
        """
        chosen = parse_method(method) if method else self.default_method
        if chosen not in self.methods:
            raise Conflict(
                f"Pull requests of this repository are merged by: {', '.join(self.methods)}.",
                code="merge_method_not_allowed",
                methods=[one.value for one in self.methods],
            )
        return chosen


def parse_method(text: str) -> MergeMethod:
    """The method of that name. Raises Invalid (``REQ-ERR-6``)."""
    try:
        return MergeMethod(text)
    except ValueError:
        raise Invalid(f"A method is one of: {', '.join(METHODS)}.", code="REQ-ERR-6", member="method") from None


def find_settings(work: UnitOfWork, repository_id: int) -> Settings:
    """The settings of a repository, whoever asks."""
    row = work.session.get(MergeSettings, repository_id)
    if row is None:
        return Settings()
    methods = tuple(method for method in METHODS if method.value in row.methods)
    return Settings(methods or METHODS, row.default_method, row.delete_source)


def get_settings(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Settings:
    """The settings of a repository that the actor may read. Raises NotFound."""
    get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    return find_settings(work, repository_id)


def set_settings(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    methods: Sequence[str] | None = None,
    default_method: str = "",
    delete_source: bool | None = None,
) -> Settings:
    """The settings with what was said of them; by whoever administers the repository.

    Raises Invalid (``REQ-ERR-6``: no method, an unknown one, or a default one that is not allowed), NotFound,
    NotSignedIn, Denied.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    was = find_settings(work, repository_id)
    allowed = was.methods
    if methods is not None:
        wanted = {parse_method(method) for method in methods}
        allowed = tuple(method for method in METHODS if method in wanted)
    if not allowed:
        raise Invalid("At least one method must be allowed.", code="REQ-ERR-6", member="methods")
    chosen = parse_method(default_method) if default_method else was.default_method
    if chosen not in allowed:
        if default_method:
            raise Invalid("The default method must be an allowed one.", code="REQ-ERR-6", member="default_method")
        chosen = allowed[0]
    settings = Settings(allowed, chosen, was.delete_source if delete_source is None else delete_source)
    work.session.merge(
        MergeSettings(
            repository_id=repository_id,
            methods=[method.value for method in settings.methods],
            default_method=settings.default_method,
            delete_source=settings.delete_source,
            updated_at=work.now(),
        )
    )
    work.session.flush()
    return settings


# What stands before a merge.


@dataclass(frozen=True)
class MergeCheck:
    """One thing that a merge takes. reason: what it is at, and what is lacking, for people."""

    name: str
    passed: bool
    reason: str


@dataclass(frozen=True)
class MethodState:
    """A way to merge, and whether it goes as things are. reason: why not; "": it goes."""

    method: MergeMethod
    is_possible: bool
    reason: str = ""


@dataclass(frozen=True)
class Mergeability:
    """How a pull request stands.

    state: "mergeable", "blocked" (a check has not passed), "conflicts", "draft", "empty", "closed" or "merged".
    commands: of git, by which somebody resolves the conflicts on their own machine, one a line.
    """

    state: str
    base: str | None
    head: str | None
    is_behind: bool
    settings: Settings
    methods: Sequence[MethodState] = field(default_factory=tuple)
    checks: Sequence[MergeCheck] = field(default_factory=tuple)
    conflicts: Sequence[MergeConflict] = field(default_factory=tuple)
    commands: Sequence[str] = field(default_factory=tuple)


def check_rules(
    work: UnitOfWork, actor: Actor, repository: Repository, pull: PullRequest, *, head: str | None
) -> list[MergeCheck]:
    """What the rule of the base branch takes of this actor, one by one; nothing where it has none.

    head: the commit that would be merged, which reviewers must have seen where the rule says so.
    """
    branch = short_name(pull.base_ref)
    rule = find_rule(list_rules(work, repository.id), branch)
    if rule is None:
        return []
    role = Role.OWNER if actor.is_admin else role_on(work, actor, repository)
    needed = Role(rule.push_role)
    is_exempt = rule.allow_admins and role is not None and role.rank >= Role.ADMIN.rank
    checks = [
        MergeCheck(
            "role",
            role is not None and role.rank >= needed.rank,
            f"Merging into {branch!r} takes the role {needed.value!r}.",
        )
    ]
    return [*checks, *_check_reviews(work, rule, repository, pull, is_exempt, head)]


def _check_reviews(
    work: UnitOfWork,
    rule: ProtectedBranch,
    repository: Repository,
    pull: PullRequest,
    is_exempt: bool,
    head: str | None,
) -> list[MergeCheck]:
    checks = []
    exempt = " Administrators may merge all the same." if is_exempt else ""
    if rule.required_approvals:
        count = count_approvals(work, repository, pull, head=(head or "") if rule.dismiss_stale else None)
        stale = " Those given before the last commit do not count." if rule.dismiss_stale else ""
        checks.append(
            MergeCheck(
                "approvals",
                is_exempt or count >= rule.required_approvals,
                f"{count} of {rule.required_approvals} required approvals.{stale}{exempt}",
            )
        )
        count = count_objections(work, repository, pull)
        checks.append(MergeCheck("changes", is_exempt or not count, f"{count} reviewers ask for changes.{exempt}"))
    if rule.require_resolved:
        count = count_unresolved(work, pull)
        checks.append(
            MergeCheck("conversations", is_exempt or not count, f"{count} conversations are not resolved.{exempt}")
        )
    return checks


def require_mergeable(
    work: UnitOfWork,
    actor: Actor,
    repository: Repository,
    pull: PullRequest,
    *,
    head: str,
    takes_drafts: bool = False,
) -> None:
    """Return when nothing but the commits themselves can stand against a merge of this head.

    The role is left to the push's own check. Raises Conflict (``pull_request_draft``, ``merge_blocked``).
    """
    if pull.discussion.status == DiscussionStatus.DRAFT and not takes_drafts:
        raise Conflict("This pull request is a draft; mark it as ready first.", code="pull_request_draft")
    checks = [check for check in check_rules(work, actor, repository, pull, head=head) if check.name != "role"]
    failed = [check for check in checks if not check.passed]
    if failed:
        raise Conflict(
            "The base branch is protected: " + " ".join(check.reason for check in failed),
            code="merge_blocked",
            checks=[{"name": check.name, "reason": check.reason} for check in failed],
        )


def read_mergeability(context: Context, *, actor: Actor, repository: Repository, number: int) -> Mergeability:
    """How a pull request stands for this actor: the checks with what passed, the methods, and the conflicts.

    It follows no branch and writes nothing. Raises NotFound (``pull_request_not_found``).
    """
    with reading(context) as work:
        pull = get_pull(work, actor=actor, repository_id=repository.id, number=number)
        settings = find_settings(work, repository.id)
        may_write = can(work, actor, Action.REPOSITORY_WRITE, repository)
        source = None
        if pull.source_repository_id not in (None, repository.id):
            source = work.session.scalar(select(Repository).where(Repository.id == pull.source_repository_id))
            if source is not None and not can(work, actor, Action.REPOSITORY_READ, source):
                source = None
    status = pull.discussion.status
    if status not in discussions.OPEN:
        return Mergeability(status.value, pull.base_commit, pull.head_commit, False, settings)
    path = repository_path(context.settings, repository)
    tips = offload(list_refs, path)
    base, head = tips.get(pull.base_ref), tips.get(proposal_ref(number))
    with reading(context) as work:
        rules = check_rules(work, actor, repository, pull, head=head)
    has_commits = base is not None and head is not None and head != pull.opened_commit
    has_commits = has_commits and not offload(holds, path, str(base), str(head))
    is_forward = has_commits and offload(holds, path, str(head), str(base))
    conflicts: Sequence[MergeConflict] = ()
    if has_commits and not is_forward:
        conflicts = conflicts_between(context, repository, str(base), str(head))
    checks = [
        MergeCheck("ready", status != DiscussionStatus.DRAFT, "It is no draft."),
        MergeCheck("commits", has_commits, "It has commits that its base lacks."),
        MergeCheck("conflicts", not conflicts, f"{len(conflicts)} files stand against a merge."),
        MergeCheck("write", may_write, "Merging takes the right to write to the repository."),
        *rules,
    ]
    methods = [_method_state(method, is_forward, conflicts) for method in settings.methods]
    return Mergeability(
        state=_state(status, has_commits, conflicts, checks),
        base=base,
        head=head,
        is_behind=has_commits and not is_forward,
        settings=settings,
        methods=methods if has_commits else (),
        checks=checks,
        conflicts=conflicts,
        commands=_commands(pull, source) if conflicts else (),
    )


def _state(
    status: DiscussionStatus, has_commits: bool, conflicts: Sequence[MergeConflict], checks: Sequence[MergeCheck]
) -> str:
    if not has_commits:
        return "empty"
    if status == DiscussionStatus.DRAFT:
        return "draft"
    if conflicts:
        return "conflicts"
    return "mergeable" if all(check.passed for check in checks) else "blocked"


def _method_state(method: MergeMethod, is_forward: bool, conflicts: Sequence[MergeConflict]) -> MethodState:
    if method == MergeMethod.FAST_FORWARD and not is_forward:
        return MethodState(method, False, "The base has commits of its own; update the pull request first.")
    if conflicts and method != MergeMethod.REBASE:
        return MethodState(method, False, "There are conflicts.")
    return MethodState(method, True)


def _commands(pull: PullRequest, source: Repository | None) -> list[str]:
    """What to type in a clone of the repository, or of the fork, whose remote is called origin."""
    base = short_name(pull.base_ref)
    number = pull.discussion.number
    if source is not None:
        branch = short_name(pull.source_ref)
        return [
            "# in a clone of the fork; <address> is that of the repository that it was forked from",
            f"git fetch origin && git checkout {shlex.quote(branch)}",
            f"git fetch <address> {shlex.quote(base)}",
            "git merge FETCH_HEAD",
            "# bring the files together, then",
            "git add --all && git commit",
            f"git push origin {shlex.quote(branch)}",
        ]
    theirs = shlex.quote(f"origin/{base}")
    if pull.source_ref:
        branch = shlex.quote(short_name(pull.source_ref))
        begin, end = f"git fetch origin && git checkout {branch}", f"git push origin {branch}"
    else:
        begin = f"git fetch origin && git fetch origin refs/pr/{number} && git checkout -B pr/{number} FETCH_HEAD"
        end = f"git push origin HEAD:refs/pr/{number}"
    return [begin, f"git merge {theirs}", "# bring the files together, then", "git add --all && git commit", end]
