"""Pull requests: commits that somebody proposes for a branch, and that who may write brings into it.

Whoever may read a repository and has an account may open one. Its commits are those of the ref ``refs/pr/<number>`` in
the repository itself; while it is open its author, and whoever may write, commit to it by git or through the API. One
that was opened for a branch, of the repository or of a fork, follows that branch instead (``sources``). How they are
merged is told in ``merging``, and what stands before it in ``mergeability``.

What spans Git and the database takes the context and opens short units of work of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can, require
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import branch_ref
from hub.base.offload import offload
from hub.community import events
from hub.community.models import Discussion, DiscussionEventType, DiscussionStatus, PullRequest
from hub.community.service import discussions
from hub.community.service.labels import add_labels, find_labels, require_labels
from hub.community.service.switches import require_on
from hub.community.service.texts import check_content, check_title
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.history import compare, relate
from hub.git.merge import ConflictKind, MergeConflict, find_conflicts, holds
from hub.git.repository import find_revision, list_refs, resolve_revision
from hub.git.types import ZERO_OID, Commit, Comparison, RefChange
from hub.jobs.service import enqueue
from hub.repos import derived, refs
from hub.repos.checks import BRANCHES, IncomingPush, Purpose, short_name
from hub.repos.differences import Asked, FilesPage, list_compared_files
from hub.repos.gates import check_content as check_gate
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import Repository
from hub.repos.proposals import PROPOSALS, number_of, proposal_ref
from hub.repos.transplants import bring_commits

log = get_logger(__name__)

FOLLOW_JOB = "community.follow_pulls"

# As many may somebody who may not write have open in a repository.
MAX_OPEN_EACH = 20


# Finding.


def find_pull(work: UnitOfWork, repository_id: int, number: int) -> PullRequest | None:
    """The pull request of that number in a repository, whoever asks, with its discussion loaded; or None."""
    found: PullRequest | None = work.session.scalar(
        select(PullRequest)
        .join(PullRequest.discussion)
        .where(Discussion.repository_id == repository_id, Discussion.number == number)
        .options(contains_eager(PullRequest.discussion).joinedload(Discussion.user), joinedload(PullRequest.merged_by))
    )
    return found


def get_pull(work: UnitOfWork, *, actor: Actor, repository_id: int, number: int) -> PullRequest:
    """As ``find_pull``, for one who may read the repository. Raises NotFound (``pull_request_not_found``)."""
    get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    pull = find_pull(work, repository_id, number)
    if pull is None:
        raise NotFound("There is no such pull request.", code="pull_request_not_found")
    return pull


def pulls_of(work: UnitOfWork, discussion_ids: Sequence[int]) -> dict[int, PullRequest]:
    """The pull requests among some discussions, by the discussion's id. One query."""
    found = work.session.scalars(
        select(PullRequest)
        .where(PullRequest.discussion_id.in_(discussion_ids))
        .options(joinedload(PullRequest.merged_by))
    )
    return {pull.discussion_id: pull for pull in found}


# Opening.


@dataclass(frozen=True)
class _Start:
    """What a new pull request proposes: a commit that its repository has, and the branch that it follows, if any."""

    commit_id: str
    repository_id: int | None = None
    ref: str = ""


def open_pull(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    title: str,
    description: str = "",
    base: str = "",
    revision: str = "",
    source_id: int | None = None,
    commit_id: str = "",
    is_draft: bool = False,
    labels: Sequence[str] = (),
    via: str = "api",
) -> PullRequest:
    """A new pull request, whose ref is there when this returns.

    base: the branch it is for; "" for the default branch. revision: what it proposes, a branch or tag of the
    repository; "": nothing yet, its ref begins where the base is. It follows a branch: what is pushed there is
    proposed, too. source_id: the fork of the repository whose branch that is ("": its default branch), which must be
    public or the actor's to write. commit_id: instead, a commit that
    ``repos.files.build_proposal`` has made: by their ids anybody could bring back commits that nothing leads to any
    more, so ``revision`` takes none. description: its first comment. labels: names of the repository's own, of which
    whoever opens it chooses freely.
    A crash leaves at most a ref, which goes in a day or two, and a number that nothing has.
    Raises Invalid (``REQ-ERR-6``, ``nothing_to_commit``: the base holds the revision; ``not_a_fork``), NotFound
    (``branch_not_found``, ``revision_not_found``), Conflict (``too_many_pull_requests``, ``pull_request_exists``: one
    from that branch is open), NotSignedIn, Denied, and what a push may raise.
    """
    title = check_title(title)
    if description.strip():
        check_content(description, what="description")
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
        require_on(work, repository.id, is_pull_request=True)
        require_labels(work, repository.id, labels)
        require_few(work, discussions.require_voice(work, actor, repository), actor, repository)
    path = repository_path(context.settings, repository)
    base_ref = branch_ref(base or repository.default_branch)
    tip = offload(find_revision, path, base_ref)
    if tip is None:
        raise NotFound(f"There is no branch {base_ref[11:91]!r}.", code="branch_not_found")
    if source_id is not None and source_id != repository_id:
        start = _bring_from_fork(context, actor, repository, source_id, revision)
    elif revision and not commit_id:
        start = offload(_resolve_name, repository, path, revision)
    else:
        start = _Start(commit_id or tip)
    if (start.ref or revision or commit_id) and offload(holds, path, tip, start.commit_id):
        raise Invalid("The base branch holds all of this already.", code="nothing_to_commit")
    with unit_of_work(context) as work:
        _require_new(work, repository_id, base_ref, start)
        number = discussions.next_number(work, repository_id)
    refs.receive(
        context,
        actor=actor,
        repository=repository,
        changes=[RefChange(proposal_ref(number), ZERO_OID, start.commit_id)],
        via=via,
        action=Action.REPOSITORY_PROPOSE,
        purpose=Purpose.OPEN,
    )
    with unit_of_work(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
        author = discussions.require_voice(work, actor, repository)
        # One after the other, so that many at once are no more than one by one.
        work.session.execute(select(User.id).where(User.id == author.id).with_for_update(key_share=True))
        require_few(work, author, actor, repository)
        _require_new(work, repository_id, base_ref, start)
        status = DiscussionStatus.DRAFT if is_draft else DiscussionStatus.OPEN
        discussion = discussions.add_discussion(
            work, repository, author, title=title, number=number, status=status, is_pull_request=True
        )
        work.session.add(
            PullRequest(
                discussion_id=discussion.id,
                repository_id=repository_id,
                base_ref=base_ref,
                opened_commit=tip,
                start_commit=start.commit_id,
                source_repository_id=start.repository_id,
                source_ref=start.ref,
            )
        )
        if description.strip():
            discussions.add_comment(work, discussion, author, content=description)
            work.session.refresh(discussion, ["comment_count", "updated_at"])
        add_labels(work, discussion, find_labels(work, repository_id, labels), user_id=actor.user_id)
        if start.commit_id != tip:
            oid = {"oid": start.commit_id}
            discussions.record(work, discussion, DiscussionEventType.COMMIT, oid, user_id=actor.user_id)
        if start.ref:
            # What was pushed there before the row was seen.
            enqueue(work, FOLLOW_JOB, args={"repository_id": start.repository_id, "source_refs": [start.ref]})
        publish(work, events.PullRequestOpened(discussion.id, repository_id, actor.user_id))
        work.session.flush()
        pull = find_pull(work, repository_id, number)
        assert pull is not None
    log.info("pull_request_opened", repository_id=repository_id, number=number, actor_id=actor.user_id)
    return pull


def _bring_from_fork(context: Context, actor: Actor, repository: Repository, source_id: int, branch: str) -> _Start:
    """The tip of a fork's branch, brought into the repository."""
    with reading(context) as work:
        source = get_source(work, actor, repository, source_id)
    ref = branch_ref(branch or source.default_branch)
    tip = offload(find_revision, repository_path(context.settings, source), ref)
    if tip is None:
        raise NotFound(f"The fork has no branch {ref[11:91]!r}.", code="revision_not_found")
    limit = context.settings.max_push_size_bytes
    bring_commits(context, actor=actor, source=source, target=repository, commit_id=tip, max_bytes=limit)
    return _Start(tip, source.id, ref)


def get_source(work: UnitOfWork, actor: Actor, repository: Repository, source_id: int) -> Repository:
    """The fork of a repository from which the actor may propose.

    Whatever is pushed to its branch later is shown to the repository's readers. So a private one takes the right to
    write to it: who may only read it does not decide that for its owners.
    Raises NotFound, NotSignedIn, Denied; Invalid (``not_a_fork``).
    """
    source = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=source_id)
    if source.forked_from_id != repository.id or source.kind != repository.kind:
        raise Invalid("A pull request comes from the repository itself, or from a fork of it.", code="not_a_fork")
    if source.is_private:
        require(work, actor, Action.REPOSITORY_WRITE, source)
    return source


def _require_new(work: UnitOfWork, repository_id: int, base_ref: str, start: _Start) -> None:
    if not start.ref:
        return
    same = (
        select(Discussion.number)
        .join(PullRequest, PullRequest.discussion_id == Discussion.id)
        .where(
            PullRequest.repository_id == repository_id,
            PullRequest.base_ref == base_ref,
            PullRequest.source_repository_id == start.repository_id,
            PullRequest.source_ref == start.ref,
            Discussion.status.in_(discussions.OPEN),
        )
    )
    number = work.session.scalar(same.limit(1))
    if number is not None:
        raise Conflict(
            f"There is a pull request from that branch: number {number}.", code="pull_request_exists", number=number
        )


def require_few(work: UnitOfWork, author: User, actor: Actor, repository: Repository) -> None:
    """Return when the author may open another pull request: who writes may have as many as they like."""
    mine = (
        select(func.count())
        .select_from(PullRequest)
        .join(PullRequest.discussion)
        .where(
            PullRequest.repository_id == repository.id,
            Discussion.user_id == author.id,
            Discussion.status.in_(discussions.OPEN),
        )
    )
    if (work.session.scalar(mine) or 0) >= MAX_OPEN_EACH and not can(work, actor, Action.REPOSITORY_WRITE, repository):
        raise Conflict(
            f"You have {MAX_OPEN_EACH} open pull requests in this repository; close some, or wait until they are "
            "merged.",
            code="too_many_pull_requests",
        )


def _resolve_name(repository: Repository, path: Path, revision: str) -> _Start:
    """The commit of a branch, a tag or another ref in full. Raises NotFound (``revision_not_found``)."""
    names = (f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
    name = next((name for name in names if name in list_refs(path)), None)
    if name is None:
        raise NotFound(f"There is no branch or tag {revision[:80]!r}.", code="revision_not_found")
    commit_id = resolve_revision(path, name)
    return _Start(commit_id, repository.id, name) if name.startswith(BRANCHES) else _Start(commit_id)


# Committing to one.


def check_proposals(push: IncomingPush) -> None:
    """A pull request takes commits while it is open, from its author and from who may write to the repository.

    Asked before each move of a pull request's ref, also for those that the hub itself is asked to make.
    Raises NotFound (``pull_request_not_found``), Conflict (``pull_request_closed``, ``pull_request_follows``), Denied.
    """
    moved = [change for change in push.changes if change.ref.startswith(PROPOSALS)]
    if not moved or push.actor.is_system:
        return
    with reading(push.context) as work:
        for change in moved:
            number = number_of(change.ref)
            pull = find_pull(work, push.repository.id, number) if number is not None else None
            if pull is None:
                if change.is_creation and push.purpose == Purpose.OPEN:
                    continue
                raise NotFound(
                    f"There is no pull request {number}; open one on the hub, then push to it.",
                    code="pull_request_not_found",
                )
            if change.is_deletion:
                raise Denied("The ref of a pull request stays; close the pull request instead.", code="ref_reserved")
            _require_committer(work, push.actor, push.repository, pull)
            if push.purpose != Purpose.FOLLOW:
                _require_own_ref(pull)


def require_committer(work: UnitOfWork, actor: Actor, repository: Repository, pull: PullRequest) -> None:
    """Return when the actor may commit to a pull request, now. Raises as ``check_proposals`` does."""
    _require_committer(work, actor, repository, pull)
    _require_own_ref(pull)


def _require_committer(work: UnitOfWork, actor: Actor, repository: Repository, pull: PullRequest) -> None:
    require(work, actor, Action.REPOSITORY_PROPOSE, repository)
    if actor.user_id != pull.discussion.user_id and not can(work, actor, Action.REPOSITORY_WRITE, repository):
        raise Denied("Only the author of a pull request, and who may write to the repository, may commit to it.")
    require_open(pull)


def _require_own_ref(pull: PullRequest) -> None:
    if pull.source_ref:
        where = "" if pull.source_repository_id == pull.repository_id else " of its fork"
        raise Conflict(
            f"This pull request follows the branch {short_name(pull.source_ref)!r}{where}; commit there instead.",
            code="pull_request_follows",
        )


def require_open(pull: PullRequest) -> None:
    """Return when a pull request is open or a draft. Raises Conflict (``pull_request_closed``)."""
    if pull.discussion.status not in discussions.OPEN:
        raise Conflict(
            f"This pull request is {pull.discussion.status.value}; open it again, or open another one.",
            code="pull_request_closed",
        )


def has_open(work: UnitOfWork, *, repository_id: int, user_id: int | None) -> bool:
    """Whether a user has a pull request open in a repository, so that they may push to its ref."""
    mine = select(Discussion.id).where(
        Discussion.repository_id == repository_id,
        Discussion.user_id == user_id,
        Discussion.is_pull_request,
        Discussion.status.in_(discussions.OPEN),
    )
    return user_id is not None and work.session.scalar(mine.limit(1)) is not None


# Changing one.


def get_open(work: UnitOfWork, *, actor: Actor, repository_id: int, number: int) -> PullRequest:
    """An open pull request that the actor may change: its author's, or any for who may write to the repository.

    Raises NotFound (``pull_request_not_found``), NotSignedIn, Denied, Conflict (``pull_request_closed``).
    """
    pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    discussions.require_author(work, actor, repository, pull.discussion.user_id, or_writer=True)
    require_open(pull)
    return pull


def set_draft(work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, is_draft: bool) -> PullRequest:
    """An open pull request made a draft, which is not merged, or ready again. Raises as ``get_open``."""
    pull = get_open(work, actor=actor, repository_id=repository_id, number=number)
    status = DiscussionStatus.DRAFT if is_draft else DiscussionStatus.OPEN
    if pull.discussion.status != status:
        changed = update(Discussion).where(
            Discussion.id == pull.discussion_id, Discussion.status.in_(discussions.OPEN), Discussion.status != status
        )
        if discussions.count_of(work, changed.values(status=status, updated_at=work.now())):
            data = {"status": status.value}
            discussions.record(work, pull.discussion, DiscussionEventType.STATUS_CHANGE, data, user_id=actor.user_id)
            publish(work, events.DiscussionUpdated(pull.discussion_id, repository_id, actor.user_id))
        work.session.refresh(pull.discussion, ["status", "updated_at"])
    return pull


def change_base(context: Context, *, actor: Actor, repository_id: int, number: int, base: str) -> PullRequest:
    """An open pull request for another branch. May be repeated.

    Raises NotFound (``branch_not_found``), Invalid (``nothing_to_commit``: that branch has all of it), and as
    ``get_open``.
    """
    ref = branch_ref(base)
    with reading(context) as work:
        pull = get_open(work, actor=actor, repository_id=repository_id, number=number)
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    path = repository_path(context.settings, repository)
    tips = offload(list_refs, path)
    tip, head = tips.get(ref), tips.get(proposal_ref(number))
    is_source = pull.source_repository_id == repository_id and pull.source_ref == ref
    if tip is None or is_source:
        raise NotFound(f"There is no branch {short_name(ref)[:80]!r} to be the base.", code="branch_not_found")
    is_empty = head == pull.opened_commit
    if head is not None and not is_empty and offload(holds, path, tip, head):
        raise Invalid("That branch holds all of this already.", code="nothing_to_commit")
    with unit_of_work(context) as work:
        pull = get_open(work, actor=actor, repository_id=repository_id, number=number)
        if pull.base_ref != ref:
            data = {"from": short_name(pull.base_ref), "to": short_name(ref)}
            pull.base_ref = ref
            if not is_empty:
                pull.opened_commit = tip
            discussions.record(work, pull.discussion, DiscussionEventType.BASE_CHANGE, data, user_id=actor.user_id)
            publish(work, events.DiscussionUpdated(pull.discussion_id, repository_id, actor.user_id))
        work.session.flush()
    return pull


# Reading.


def find_head(context: Context, repository: Repository, pull: PullRequest) -> str | None:
    """The commit that a pull request proposes to bring in; None where its ref is lost."""
    path = repository_path(context.settings, repository)
    return pull.head_commit or offload(find_revision, path, proposal_ref(pull.discussion.number))


def read_conflicts(context: Context, repository: Repository, pull: PullRequest) -> list[MergeConflict]:
    """What stands against a merge of an open pull request as things are; nothing: it can be, or is not open."""
    if pull.discussion.status not in discussions.OPEN:
        return []
    path = repository_path(context.settings, repository)
    tips = offload(list_refs, path)
    base, head = tips.get(pull.base_ref), tips.get(proposal_ref(pull.discussion.number))
    if base is None or head is None or base == head:
        return []
    return conflicts_between(context, repository, base, head)


def conflicts_between(context: Context, repository: Repository, base: str, head: str) -> list[MergeConflict]:
    """What stands against a merge of one commit into another; worked out once."""
    key = ("merge_conflicts", repository.uuid, base, head)
    kept: list[list[str]] | None = derived.find(context, *key)
    if kept is None:
        found = offload(find_conflicts, repository_path(context.settings, repository), base, head)
        kept = [[conflict.path, conflict.kind.value] for conflict in found]
        derived.keep(context, *key, answer=kept)
    return [MergeConflict(path, ConflictKind(kind)) for path, kind in kept]


def list_pull_files(
    context: Context, repository: Repository, pull: PullRequest, *, actor: Actor, asked: Asked
) -> FilesPage:
    """A page of the files that a pull request changes, since it parted from its base.

    Raises NotSignedIn or Denied (``gated_repository``); NotFound (``revision_not_found``) where a ref is lost.
    """
    head = find_head(context, repository, pull) or proposal_ref(pull.discussion.number)
    path = repository_path(context.settings, repository)
    base = pull.base_commit or offload(find_revision, path, pull.base_ref) or pull.opened_commit
    return list_compared_files(context, repository, actor=actor, base=base, head=head, asked=asked)


def list_commits(
    context: Context, repository: Repository, pull: PullRequest, *, actor: Actor, most: int
) -> tuple[Sequence[Commit], int]:
    """The newest commits of a pull request, and how many there are. Raises as ``list_pull_files``."""
    check_gate(context, actor, repository)
    path = repository_path(context.settings, repository)
    head = find_head(context, repository, pull) or proposal_ref(pull.discussion.number)
    base = pull.base_commit or offload(find_revision, path, pull.base_ref) or pull.opened_commit
    found = offload(relate, path, base, head, commit_limit=most)
    return found.commits, found.ahead


def read_changes(context: Context, repository: Repository, pull: PullRequest, *, actor: Actor) -> Comparison:
    """The commits of a pull request, and what they change since they parted from the base, within limits.

    Raises NotSignedIn or Denied (``gated_repository``); NotFound (``revision_not_found``) where a ref is lost.
    """
    check_gate(context, actor, repository)
    path = repository_path(context.settings, repository)
    head = find_head(context, repository, pull) or proposal_ref(pull.discussion.number)
    base = pull.base_commit or offload(find_revision, path, pull.base_ref) or pull.opened_commit
    return offload(compare, path, base, head)
