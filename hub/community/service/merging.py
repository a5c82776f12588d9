"""How pull requests are merged, taken back and brought up to date.

A merge moves the base branch by the same path as a push, so that protected branches and quotas have their say; of two
at once git's compare-and-swap lets one win. The refs are the truth: a pull request whose commits the base holds is
merged, also where a crash came before the row said so (``settle_pulls``), or where somebody pushed them there by hand.
A squash or a rebase makes other commits of them; which ones is written down before the base moves.

What spans Git and the database takes the context and opens short units of work of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import contains_eager

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, HubError, Invalid
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.community import events
from hub.community.models import Discussion, DiscussionEventType, DiscussionStatus, PullRequest
from hub.community.service import discussions
from hub.community.service.mergeability import find_settings, require_mergeable
from hub.community.service.pulls import find_pull, get_open, get_pull, open_pull, require_open
from hub.community.service.sources import follow_pull, remove_source, update_source
from hub.community.service.texts import MAX_TITLE_CHARS
from hub.db.uow import reading, unit_of_work
from hub.git.history import merge_base
from hub.git.merge import Merged, MergeMethod, bring_together, held_by, holds
from hub.git.replay import undo
from hub.git.repository import find_revision, list_refs
from hub.git.types import RefChange, Signature
from hub.repos import refs
from hub.repos.checks import Purpose, short_name
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import Push, PushState, Repository
from hub.repos.proposals import PROPOSALS, proposal_ref

log = get_logger(__name__)

# When somebody else moves the base meanwhile, the merge is done anew on its new tip this often.
MAX_TRIES = 3
# As many open pull requests are looked at at once when their base moves.
_SETTLED_AT_ONCE = 500


@dataclass(frozen=True)
class _Result:
    """How a merge went, or is about to. base: where the branch was; None: it is not known."""

    base: str | None
    head: str
    commit_id: str
    method: str
    actor_id: int | None

    def as_json(self) -> dict[str, Any]:
        return {
            "base": self.base,
            "head": self.head,
            "commit_id": self.commit_id,
            "method": self.method,
            "actor_id": self.actor_id,
        }


def merge_pull(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    number: int,
    message: str = "",
    method: str = "",
    expected_head: str = "",
    delete_source: bool | None = None,
    takes_drafts: bool = False,
    via: str = "api",
) -> PullRequest:
    """Bring a pull request into its base, by a ``MergeMethod``.

    message: of the merge or squashed commit; "": one that names the pull request. method: "" for the repository's own.
    expected_head: the commit that the actor has seen; another one is not merged. delete_source: whether the branch that
    it follows goes after the merge, as far as the actor may remove it; None: as the repository says. takes_drafts: also
    merge one that is a draft, as Hugging Face's clients do. Commits made by it are the actor's.
    Raises NotFound, NotSignedIn, Denied; Invalid (``REQ-ERR-6``: no such method); Conflict: ``merge_conflict``
    (``paths`` names the files), ``nothing_to_merge``, ``pull_request_closed``, ``pull_request_draft``,
    ``merge_blocked`` (``checks`` says by what), ``merge_method_not_allowed``, ``not_forward``, ``rebase_too_long``,
    ``head_changed``, ``ref_changed``; and what a push may raise.
    """
    for tries_left in range(MAX_TRIES - 1, -1, -1):
        with reading(context) as work:
            pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
            repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
            require_open(pull)
            settings = find_settings(work, repository_id)
        chosen = settings.choose(method)
        _follow(context, pull, actor)
        path = repository_path(context.settings, repository)
        tips = offload(list_refs, path)
        base, head = tips.get(pull.base_ref), tips.get(proposal_ref(number))
        if base is None or head is None:
            raise Conflict("The base branch, or the pull request's own, is no more.", code="branch_not_found")
        if expected_head and head != expected_head:
            raise Conflict("The pull request has other commits by now; look at them first.", code="head_changed")
        if head == pull.opened_commit:
            raise Conflict("This pull request has no commits yet.", code="nothing_to_merge")
        if offload(holds, path, base, head):
            # A crash, or somebody's push, was first; the row follows.
            return _note_merged(context, pull, _Result(None, head, base, "", actor.user_id))
        begun = pull.merge_intent
        if begun.get("head") == head and offload(holds, path, base, str(begun.get("commit_id"))):
            return _note_merged(context, pull, _Result(**begun))
        with reading(context) as work:
            require_mergeable(work, actor, repository, pull, head=head, takes_drafts=takes_drafts)
        merged = _build(context, path, actor, pull, base, head, chosen, message)
        result = _Result(base, head, merged.commit_id, chosen.value, actor.user_id)
        _note_intent(context, pull, result)
        change = RefChange(pull.base_ref, base, merged.commit_id)
        try:
            refs.receive(context, actor=actor, repository=repository, changes=[change], via=via, purpose=Purpose.MERGE)
        except Conflict as error:
            if error.code != "ref_changed" or not tries_left:
                raise
            continue
        noted = _note_merged(context, pull, result)
        if settings.delete_source if delete_source is None else delete_source:
            remove_source(context, noted, actor=actor, head=head, via=via)
        return noted
    raise AssertionError("the loop returns or raises")


def _follow(context: Context, pull: PullRequest, actor: Actor) -> None:
    """Bring the pull request to where its branch is; what stands against that leaves it where it was."""
    try:
        follow_pull(context, pull, by=actor)
    except HubError as error:
        log.info("pull_request_not_followed", discussion_id=pull.discussion_id, code=error.code)


def _build(
    context: Context,
    path: Path,
    actor: Actor,
    pull: PullRequest,
    base: str,
    head: str,
    method: MergeMethod,
    message: str,
) -> Merged:
    title, number = pull.discussion.title, pull.discussion.number
    words = f"{title} (#{number})" if method == MergeMethod.SQUASH else f"Merge pull request #{number}: {title}"
    try:
        return offload(
            bring_together,
            path,
            base,
            head,
            author=Signature(actor.name, actor.email, context.clock.now()),
            message=message.strip() or words,
            method=method,
        )
    except Invalid as error:
        if error.code != "nothing_to_commit":
            raise
        raise Conflict("The base branch has all of this already.", code="nothing_to_merge") from None


def _note_intent(context: Context, pull: PullRequest, result: _Result) -> None:
    with unit_of_work(context) as work:
        changed = update(PullRequest).where(PullRequest.discussion_id == pull.discussion_id)
        work.session.execute(changed.values(merge_intent=result.as_json()).execution_options(synchronize_session=False))


def _note_merged(context: Context, pull: PullRequest, result: _Result) -> PullRequest:
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
                    base_commit=result.base,
                    head_commit=result.head,
                    merge_commit=result.commit_id,
                    merge_method=result.method,
                    merge_intent={},
                    merged_by_id=result.actor_id,
                    merged_at=work.now(),
                )
                .execution_options(synchronize_session=False)
            )
            status = {"status": DiscussionStatus.MERGED.value}
            discussions.record(work, discussion, DiscussionEventType.STATUS_CHANGE, status, user_id=result.actor_id)
            publish(work, events.PullRequestMerged(discussion.id, pull.repository_id, result.actor_id))
            log.info("pull_request_merged", discussion_id=discussion.id, actor_id=result.actor_id)
        noted = find_pull(work, pull.repository_id, discussion.number)
        assert noted is not None  # pull requests are not deleted, and their repository is being written to
    return noted


# What a push has merged.


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
        made = [str(pull.merge_intent["commit_id"]) for pull, _ in of_base if pull.merge_intent]
        wanted = [*(head for _, head in of_base), *made]
        held = offload(held_by, path, change.new, wanted) if wanted else set()
        for pull, head in of_base:
            begun = pull.merge_intent
            if begun.get("commit_id") in held:
                _note_merged(context, pull, _Result(**begun))
            elif head in held:
                _note_merged(context, pull, _Result(was, head, change.new, "", actor_id))
            else:
                continue
            count += 1
    return count


# Taking one back, and bringing one up to date.


def revert_pull(
    context: Context, *, actor: Actor, repository_id: int, number: int, title: str = "", via: str = "api"
) -> PullRequest:
    """A new pull request that takes back what a merged one brought; whoever may propose may ask for it.

    Raises NotFound, NotSignedIn, Denied; Conflict (``not_merged``; ``merge_conflict``: later commits stand against it;
    ``branch_not_found``), Invalid (``nothing_to_commit``), and as ``open_pull``.
    """
    with reading(context) as work:
        pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
    if pull.discussion.status != DiscussionStatus.MERGED or not pull.head_commit or not pull.merge_commit:
        raise Conflict("Only what was merged can be taken back.", code="not_merged")
    path = repository_path(context.settings, repository)
    tip = offload(find_revision, path, pull.base_ref)
    if tip is None:
        raise Conflict("The base branch is no more.", code="branch_not_found")
    before, after = pull.base_commit, pull.merge_commit
    if not pull.merge_method:
        # Somebody brought it there by hand, perhaps with more; what it changed itself is what goes.
        after = pull.head_commit
        before = offload(merge_base, path, pull.base_commit or pull.opened_commit, after)
    if before is None:
        raise Conflict("It shares no history with its base, so it cannot be taken back.", code="not_merged")
    words = f'Revert "{pull.discussion.title}"'
    message = f"{words}\n\nThis takes back pull request #{number}, merged as {pull.merge_commit}."
    author = Signature(actor.name, actor.email, context.clock.now())
    commit_id = offload(undo, path, tip, before=before, after=after, author=author, message=message)
    return open_pull(
        context,
        actor=actor,
        repository_id=repository_id,
        title=title.strip() or words[:MAX_TITLE_CHARS],
        description=f"Takes back #{number}.",
        base=short_name(pull.base_ref),
        commit_id=commit_id,
        via=via,
    )


def update_pull_branch(
    context: Context, *, actor: Actor, repository_id: int, number: int, method: str = "merge", via: str = "api"
) -> PullRequest:
    """Bring what the base has besides into an open pull request: by a merge commit, or its commits made again on it.

    method: "merge" or "rebase". One that follows a branch has that branch moved, which the actor must be able to write
    to. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied; Conflict (``up_to_date``, ``merge_conflict``,
    ``rebase_too_long``, ``pull_request_closed``, ``ref_changed``), and what a push may raise.
    """
    if method not in ("merge", "rebase"):
        raise Invalid("'method' must be merge or rebase.", code="REQ-ERR-6", member="method")
    with reading(context) as work:
        pull = get_open(work, actor=actor, repository_id=repository_id, number=number)
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
    _follow(context, pull, actor)
    path = repository_path(context.settings, repository)
    tips = offload(list_refs, path)
    base, head = tips.get(pull.base_ref), tips.get(proposal_ref(number))
    if base is None or head is None:
        raise Conflict("The base branch, or the pull request's own, is no more.", code="branch_not_found")
    if offload(holds, path, head, base):
        raise Conflict("The pull request has all that its base has.", code="up_to_date")
    if offload(holds, path, base, head):
        raise Conflict("The base branch has all of this already.", code="nothing_to_merge")
    who = Signature(actor.name, actor.email, context.clock.now())
    base_name = short_name(pull.base_ref)
    if method == "rebase":
        made = offload(bring_together, path, base, head, author=who, message="", method=MergeMethod.REBASE)
    else:
        words = f"Merge branch '{base_name}' into pull request #{number}"
        made = offload(bring_together, path, head, base, author=who, message=words, method=MergeMethod.MERGE)
    update_source(context, repository, pull, actor=actor, head=head, commit_id=made.commit_id, via=via)
    with reading(context) as work:
        return get_pull(work, actor=actor, repository_id=repository_id, number=number)
