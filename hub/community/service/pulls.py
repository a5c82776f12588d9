"""Pull requests: commits that somebody proposes for a branch, and that who may write brings into it.

Whoever may read a repository and has an account may open one. Its commits are those of the ref ``refs/pr/<number>`` in
the repository itself; its author, and whoever may write, commit to it through the API while it is open. A merge moves
the base branch by the same path as a push, so that protected branches and quotas have their say; of two at once git's
compare-and-swap lets one win. The refs are the truth: a pull request whose commits the base holds is merged, also
where a crash came before the row said so (``settle_pulls``), or where somebody pushed them there by hand.

What spans Git and the database takes the context and opens short units of work of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.models import User
from hub.accounts.policy import SYSTEM, Action, Actor, can, require
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import branch_ref
from hub.base.offload import offload
from hub.community import events
from hub.community.models import Discussion, DiscussionEventType, DiscussionStatus, PullRequest
from hub.community.service import discussions
from hub.community.service.texts import check_content, check_title
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.history import compare
from hub.git.merge import bring_together, find_conflicts, held_by, holds
from hub.git.repository import find_revision, list_refs, resolve_revision
from hub.git.types import ZERO_OID, Comparison, RefChange, Signature
from hub.repos import derived, refs
from hub.repos.checks import IncomingPush
from hub.repos.gates import check_content as check_gate
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import Push, PushState, Repository
from hub.repos.proposals import PROPOSALS, number_of, proposal_ref

log = get_logger(__name__)

# When somebody else moves the base meanwhile, the merge is done anew on its new tip this often.
MAX_TRIES = 3
# As many open pull requests are looked at at once when their base moves.
_SETTLED_AT_ONCE = 500
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


def open_pull(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    title: str,
    description: str = "",
    base: str = "",
    revision: str = "",
    commit_id: str = "",
    is_draft: bool = False,
    via: str = "api",
) -> PullRequest:
    """A new pull request, whose ref is there when this returns.

    base: the branch it is for; "" for the default branch. revision: what it proposes, a branch or tag of the
    repository; "": nothing yet, its ref begins where the base is. commit_id: instead, a commit that
    ``repos.files.build_proposal`` has made: by their ids anybody could bring back commits that nothing leads to any
    more, so ``revision`` takes none. description: its first comment.
    A crash leaves at most a ref, which goes in a day or two, and a number that nothing has.
    Raises Invalid (``REQ-ERR-6``, ``nothing_to_commit``: the base holds the revision), NotFound (``branch_not_found``,
    ``revision_not_found``), Conflict (``too_many_pull_requests``), NotSignedIn, Denied, and what a push may raise.
    """
    title = check_title(title)
    if description.strip():
        check_content(description, what="description")
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
        require_few(work, discussions.require_voice(work, actor, repository), actor, repository)
    path = repository_path(context.settings, repository)
    base_ref = branch_ref(base or repository.default_branch)
    tip = offload(find_revision, path, base_ref)
    if tip is None:
        raise NotFound(f"There is no branch {base_ref[11:91]!r}.", code="branch_not_found")
    start = commit_id or (offload(_resolve_name, path, revision) if revision else tip)
    if (revision or commit_id) and offload(holds, path, tip, start):
        raise Invalid("The base branch holds all of this already.", code="nothing_to_commit")
    with unit_of_work(context) as work:
        number = discussions.next_number(work, repository_id)
    refs.receive(
        context,
        actor=actor,
        repository=repository,
        changes=[RefChange(proposal_ref(number), ZERO_OID, start)],
        via=via,
        action=Action.REPOSITORY_PROPOSE,
    )
    with unit_of_work(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
        author = discussions.require_voice(work, actor, repository)
        # One after the other, so that many at once are no more than one by one.
        work.session.execute(select(User.id).where(User.id == author.id).with_for_update(key_share=True))
        require_few(work, author, actor, repository)
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
                start_commit=start,
            )
        )
        if description.strip():
            discussions.add_comment(work, discussion, author, content=description)
            work.session.refresh(discussion, ["comment_count", "updated_at"])
        if start != tip:
            discussions.record(work, discussion, DiscussionEventType.COMMIT, {"oid": start}, user_id=actor.user_id)
        publish(work, events.PullRequestOpened(discussion.id, repository_id, actor.user_id))
        work.session.flush()
        pull = find_pull(work, repository_id, number)
        assert pull is not None
    log.info("pull_request_opened", repository_id=repository_id, number=number, actor_id=actor.user_id)
    return pull


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


def _resolve_name(path: Path, revision: str) -> str:
    """The commit of a branch, a tag or another ref in full. Raises NotFound (``revision_not_found``)."""
    names = (f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
    name = next((name for name in names if name in list_refs(path)), None)
    if name is None:
        raise NotFound(f"There is no branch or tag {revision[:80]!r}.", code="revision_not_found")
    return resolve_revision(path, name)


# Committing to one.


def check_proposals(push: IncomingPush) -> None:
    """A pull request takes commits while it is open, from its author and from who may write to the repository.

    Asked before each move of a pull request's ref, also for those that the hub itself is asked to make.
    Raises NotFound (``pull_request_not_found``), Conflict (``pull_request_closed``), Denied.
    """
    moved = [change for change in push.changes if change.ref.startswith(PROPOSALS)]
    if not moved or push.actor.is_system:
        return
    with reading(push.context) as work:
        for change in moved:
            number = number_of(change.ref)
            pull = find_pull(work, push.repository.id, number) if number is not None else None
            if change.is_creation and pull is None:
                continue  # it is being opened
            if pull is None:
                raise NotFound("There is no such pull request.", code="pull_request_not_found")
            require_committer(work, push.actor, push.repository, pull)


def require_committer(work: UnitOfWork, actor: Actor, repository: Repository, pull: PullRequest) -> None:
    """Return when the actor may commit to a pull request, now. Raises as ``check_proposals`` does."""
    require(work, actor, Action.REPOSITORY_PROPOSE, repository)
    if actor.user_id != pull.discussion.user_id and not can(work, actor, Action.REPOSITORY_WRITE, repository):
        raise Denied("Only the author of a pull request, and who may write to the repository, may commit to it.")
    _require_open(pull)


def _require_open(pull: PullRequest) -> None:
    if pull.discussion.status not in discussions.OPEN:
        raise Conflict(
            f"This pull request is {pull.discussion.status.value}; open it again, or open another one.",
            code="pull_request_closed",
        )


# Reading.


def find_head(context: Context, repository: Repository, pull: PullRequest) -> str | None:
    """The commit that a pull request proposes to bring in; None where its ref is lost."""
    path = repository_path(context.settings, repository)
    return pull.head_commit or offload(find_revision, path, proposal_ref(pull.discussion.number))


def read_conflicts(context: Context, repository: Repository, pull: PullRequest) -> list[str]:
    """The paths by which an open pull request cannot be merged as things stand; none: it can, or is not open."""
    if pull.discussion.status not in discussions.OPEN:
        return []
    path = repository_path(context.settings, repository)
    tips = offload(list_refs, path)
    base, head = tips.get(pull.base_ref), tips.get(proposal_ref(pull.discussion.number))
    if base is None or head is None or base == head:
        return []
    key = ("conflicts", repository.uuid, base, head)
    found: list[str] | None = derived.find(context, *key)
    if found is None:
        found = offload(find_conflicts, path, base, head)
        derived.keep(context, *key, answer=found)
    return found


def read_changes(context: Context, repository: Repository, pull: PullRequest, *, actor: Actor) -> Comparison:
    """The commits of a pull request, and what they change since they parted from the base, within limits.

    Raises NotSignedIn or Denied (``gated_repository``); NotFound (``revision_not_found``) where a ref is lost.
    """
    check_gate(context, actor, repository)
    path = repository_path(context.settings, repository)
    head = find_head(context, repository, pull) or proposal_ref(pull.discussion.number)
    base = pull.base_commit or offload(find_revision, path, pull.base_ref) or pull.opened_commit
    return offload(compare, path, base, head)


# Merging.


def merge_pull(
    context: Context, *, actor: Actor, repository_id: int, number: int, message: str = "", via: str = "api"
) -> PullRequest:
    """Bring a pull request into its base: forward to its head if the base has nothing else, else by a merge commit.

    message: of the merge commit; "": one that names the pull request. The merge commit is the actor's.
    Raises NotFound, NotSignedIn, Denied; Conflict: ``merge_conflict`` (``paths`` names the files),
    ``nothing_to_merge``, ``pull_request_closed``, ``ref_changed``; and what a push may raise.
    """
    for tries_left in range(MAX_TRIES - 1, -1, -1):
        with reading(context) as work:
            pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
            repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
            _require_open(pull)
        path = repository_path(context.settings, repository)
        tips = offload(list_refs, path)
        base, head = tips.get(pull.base_ref), tips.get(proposal_ref(number))
        if base is None or head is None:
            raise Conflict("The base branch, or the pull request's own, is no more.", code="branch_not_found")
        if offload(holds, path, base, head):
            if head == pull.opened_commit:
                raise Conflict("This pull request has no commits yet.", code="nothing_to_merge")
            # A crash, or somebody's push, was first; the row follows.
            return _note_merged(context, pull, base=None, head=head, result=base, actor_id=actor.user_id)
        merged = offload(
            bring_together,
            path,
            base,
            head,
            author=Signature(actor.name, actor.email, context.clock.now()),
            message=message.strip() or f"Merge pull request #{number}: {pull.discussion.title}",
        )
        change = RefChange(pull.base_ref, base, merged.commit_id)
        try:
            refs.receive(context, actor=actor, repository=repository, changes=[change], via=via)
        except Conflict as error:
            if error.code != "ref_changed" or not tries_left:
                raise
            continue
        return _note_merged(context, pull, base=base, head=head, result=merged.commit_id, actor_id=actor.user_id)
    raise AssertionError("the loop returns or raises")


def _note_merged(
    context: Context, pull: PullRequest, *, base: str | None, head: str, result: str, actor_id: int | None
) -> PullRequest:
    """Make the row say what the refs say; whoever comes second changes nothing. The pull request as it is then."""
    discussion = pull.discussion
    with unit_of_work(context) as work:
        # A push that settles (``settle_pulls``) may have been faster, and closing it at this moment was too late.
        changed = update(Discussion).where(Discussion.id == discussion.id, Discussion.status != DiscussionStatus.MERGED)
        values = {"status": DiscussionStatus.MERGED, "updated_at": work.now()}
        if discussions.count_of(work, changed.values(**values)):
            work.session.execute(
                update(PullRequest)
                .where(PullRequest.discussion_id == discussion.id)
                .values(
                    base_commit=base,
                    head_commit=head,
                    merge_commit=result,
                    merged_by_id=actor_id,
                    merged_at=work.now(),
                )
                .execution_options(synchronize_session=False)
            )
            status = {"status": DiscussionStatus.MERGED.value}
            discussions.record(work, discussion, DiscussionEventType.STATUS_CHANGE, status, user_id=actor_id)
            publish(work, events.PullRequestMerged(discussion.id, pull.repository_id, actor_id))
            log.info("pull_request_merged", discussion_id=discussion.id, actor_id=actor_id)
        noted = find_pull(work, pull.repository_id, discussion.number)
        assert noted is not None  # pull requests are not deleted, and their repository is being written to
    return noted


def settle_pulls(context: Context, *, repository_id: int, push_id: int) -> int:
    """Note as merged what a recorded push has brought into the base of open pull requests; how many they were.

    It follows each push to a repository with open pull requests: a merge whose process died is finished by it, and
    commits that somebody merged by hand are found. May be repeated.
    """
    with reading(context) as work:
        push = work.session.get(Push, push_id)
        repository = work.session.get(Repository, repository_id)
        if push is None or repository is None or push.state != PushState.APPLIED:
            return 0
        moved = {change.ref: change for change in refs.changes_of(push) if not change.is_deletion}
    path = repository_path(context.settings, repository)
    heads: dict[str, str] | None = None
    count, last_id = 0, 0
    while pulls := _open_for(context, repository_id, [*moved], after_id=last_id):
        heads = offload(list_refs, path, prefix=PROPOSALS) if heads is None else heads
        count += _settle(context, path, pulls, heads, moved, push.actor_id)
        last_id = pulls[-1].discussion_id
    return count


def _open_for(
    context: Context, repository_id: int, base_refs: Sequence[str], *, after_id: int
) -> Sequence[PullRequest]:
    """Some of the open pull requests for these branches, by the discussion's id, after that one."""
    with reading(context) as work:
        return work.session.scalars(
            select(PullRequest)
            .join(PullRequest.discussion)
            .where(
                PullRequest.repository_id == repository_id,
                PullRequest.base_ref.in_(base_refs),
                Discussion.status.in_(discussions.OPEN),
                PullRequest.discussion_id > after_id,
            )
            .options(contains_eager(PullRequest.discussion))
            .order_by(PullRequest.discussion_id)
            .limit(_SETTLED_AT_ONCE)
        ).all()


def _settle(
    context: Context,
    path: Path,
    pulls: Sequence[PullRequest],
    heads: Mapping[str, str],
    moved: Mapping[str, RefChange],
    actor_id: int | None,
) -> int:
    count = 0
    for base_ref in {pull.base_ref for pull in pulls}:
        change = moved[base_ref]
        was = None if change.is_creation else change.old
        of_base = [
            (pull, head)
            for pull in pulls
            if pull.base_ref == base_ref
            and (head := heads.get(proposal_ref(pull.discussion.number))) is not None
            and head != pull.opened_commit
        ]
        held = offload(held_by, path, change.new, [head for _, head in of_base]) if of_base else set()
        for pull, head in of_base:
            if head in held:
                _note_merged(context, pull, base=was, head=head, result=change.new, actor_id=actor_id)
                count += 1
    return count


def open_refs_of(context: Context, repository_id: int) -> list[str]:
    """The refs of a repository's open pull requests."""
    with reading(context) as work:
        open_ones = select(Discussion.number).where(
            Discussion.repository_id == repository_id,
            Discussion.is_pull_request,
            Discussion.status.in_(discussions.OPEN),
        )
        return [proposal_ref(number) for number in work.session.scalars(open_ones)]


def remove_lost_refs(context: Context, repository: Repository, *, before: datetime) -> int:
    """Remove the refs, not moved since that time, that belong to no pull request; how many there were.

    A crash, or a refusal at the last moment, leaves such a one.
    """
    found = offload(list_refs, repository_path(context.settings, repository), prefix=PROPOSALS)
    if not found:
        return 0
    with reading(context) as work:
        pulls = select(Discussion.number).where(Discussion.repository_id == repository.id, Discussion.is_pull_request)
        known = {proposal_ref(number) for number in work.session.scalars(pulls)}
        recent = select(Push).where(Push.repository_id == repository.id, Push.created_at >= before)
        known.update(change.ref for push in work.session.scalars(recent) for change in refs.changes_of(push))
    lost = [RefChange(ref, tip, ZERO_OID) for ref, tip in found.items() if ref not in known]
    if lost:
        refs.receive(context, actor=SYSTEM, repository=repository, changes=lost, via="reconcile")
    return len(lost)
