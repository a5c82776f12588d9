"""What the hub tells people by itself: which events, to whom, in which words.

An event that concerns somebody asks for a job in its own transaction, so that it cannot be forgotten; the job reads
what is there by then and tells batch by batch. Nobody is told what they did themselves, nor of what they may not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, false, or_, select

from hub.accounts.events import MemberAdded, MemberChanged, MemberRemoved
from hub.accounts.models import Grant, Member, Namespace, Organization, Role, User
from hub.base.context import Context
from hub.community.events import (
    CommentCreated,
    DiscussionCreated,
    PeopleAssigned,
    PeopleMentioned,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestReviewed,
    ReviewRequested,
    WebhookDisabled,
)
from hub.community.models import Comment, Discussion, NotificationEvent, Webhook
from hub.community.models_people import Assignee
from hub.community.models_reviews import Review, ReviewRequest, ReviewState
from hub.community.service.marks import find_mentions
from hub.community.service.notifications import MAX_SUMMARY_CHARS, Notice
from hub.community.service.people import members_of, people_of, readers_of, told_of, wants
from hub.community.service.texts import MAX_TITLE_CHARS, shorten
from hub.db.uow import UnitOfWork
from hub.jobs.service import enqueue
from hub.repos.events import AccessDecided, AccessRequested, RepositoryCreated, RepositoryDeleted, RepositoryMoved
from hub.repos.kinds import KINDS
from hub.repos.models import GateRequest, Repository, RequestState

NOTIFY_JOB = "community.notify"

# As much of a comment as its notification carries.
_EXCERPT_CHARS = 2000

# A notice without its receivers' rows, and the condition on ``User`` that says who they are.
Addressed = tuple[Notice, ColumnElement[bool]]


def install(context: Context) -> None:
    """Listen to what is told; done once, by ``build_context``."""
    context.events.record_with(_record)


def _record(work: UnitOfWork, event: object) -> None:
    ask = _CONCERNS.get(type(event))
    args = ask(work, event) if ask else None
    if args is not None:
        enqueue(work, NOTIFY_JOB, args=args, actor_id=args["actor_id"])


def compose(work: UnitOfWork, key: str, *, about: str, actor_id: int | None, **args: Any) -> list[Addressed]:
    """What is to be told, and to whom, now that an event is some moments old; nothing where it means nothing any more.

    key: a UUID, the same in every run of the job.
    """
    actor = work.session.get(User, actor_id) if actor_id is not None else None
    name, uuid = (actor.name, actor.uuid) if actor else ("The hub", "")

    def notice(event: NotificationEvent, words: str, summary: str = "", content: str = "", url: str = "") -> Notice:
        title = shorten(f"{name} {words}", MAX_TITLE_CHARS)
        return Notice(key, event.type, title, shorten(summary, MAX_SUMMARY_CHARS), content, url, uuid, event)

    others = User.id != actor_id if actor_id is not None else User.id.is_not(None)
    return [(told, others & whom) for told, whom in _COMPOSERS[about](work, notice, **args)]


_Writer = Callable[..., Notice]

# Repositories: the people of their namespace.


def _concern_repository(work: UnitOfWork, event: RepositoryCreated | RepositoryDeleted) -> dict[str, Any] | None:
    if isinstance(event, RepositoryDeleted) and event.with_account:
        return None  # its one owner goes, too
    repository = work.session.get(Repository, event.repository_id)
    if repository is None or not _has_others(work, repository.namespace_id, event.actor_id):
        return None
    about = "repository_created" if isinstance(event, RepositoryCreated) else "repository_deleted"
    return {"about": about, "actor_id": event.actor_id, "repository_id": event.repository_id}


def _has_others(work: UnitOfWork, namespace_id: int, actor_id: int | None) -> bool:
    people = select(User.id).where(people_of(namespace_id))
    if actor_id is not None:
        people = people.where(User.id != actor_id)
    return work.session.scalar(people.limit(1)) is not None


def _tell_created(work: UnitOfWork, notice: _Writer, *, repository_id: int) -> Iterator[Addressed]:
    repository = work.session.get(Repository, repository_id)
    if repository is not None and repository.deleted_at is None:
        words = f"created the {_kind(work, repository)} {repository.path}"
        told = notice(NotificationEvent.ASSET, words, repository.description, url=_address(work, repository))
        yield told, people_of(repository.namespace_id)


def _tell_deleted(work: UnitOfWork, notice: _Writer, *, repository_id: int) -> Iterator[Addressed]:
    repository = work.session.get(Repository, repository_id)
    if repository is not None and repository.deleted_at is not None:
        words = f"deleted the {_kind(work, repository)} {repository.path}"
        yield notice(NotificationEvent.ASSET, words), people_of(repository.namespace_id)


def _concern_moved(_work: UnitOfWork, event: RepositoryMoved) -> dict[str, Any] | None:
    if event.old_namespace_id == event.new_namespace_id:
        return None  # a new name, which the old address leads to
    moved = {name: getattr(event, name) for name in ("old_path", "old_namespace_id", "new_namespace_id")}
    return {"about": "repository_moved", "actor_id": event.actor_id, "repository_id": event.repository_id} | moved


def _tell_moved(
    work: UnitOfWork,
    notice: _Writer,
    *,
    repository_id: int,
    old_path: str,
    old_namespace_id: int,
    new_namespace_id: int,
) -> Iterator[Addressed]:
    repository = work.session.get(Repository, repository_id)
    if repository is None or repository.deleted_at is not None:
        return
    kind = _kind(work, repository)
    if repository.namespace_id == new_namespace_id:  # else where it is by now is not for those here
        words = f"transferred the {kind} {old_path} to {repository.path}"
        yield notice(NotificationEvent.ASSET, words, url=_address(work, repository)), people_of(new_namespace_id)
    if repository.namespace_id != old_namespace_id:
        # They may not see it any more, so they are not told where it is. Who is in both was told already.
        words = f"transferred the {kind} {old_path} to another owner"
        yield notice(NotificationEvent.ASSET, words), people_of(old_namespace_id)


# Issues: as comments; one that begins with a comment is told of by that.


def _concern_issue(_work: UnitOfWork, event: DiscussionCreated) -> dict[str, Any] | None:
    if event.has_comment:
        return None
    return {"about": "issue_opened", "actor_id": event.actor_id, "discussion_id": event.discussion_id}


def _tell_issue(work: UnitOfWork, notice: _Writer, *, discussion_id: int) -> Iterator[Addressed]:
    discussion = work.session.get(Discussion, discussion_id)
    if discussion is None or discussion.repository.deleted_at is not None:
        return
    repository = discussion.repository
    words = f"opened an issue on {repository.path}: {discussion.title}"
    told = notice(NotificationEvent.COMMENT, words, url=f"{_address(work, repository)}/community/{discussion.number}")
    yield told, told_of(discussion)


# Comments: those whom ``service.people`` tells of the discussion, and first, in words of their own, whom they name.


def _concern_comment(_work: UnitOfWork, event: CommentCreated) -> dict[str, Any]:
    args = {"about": "comment_created", "actor_id": event.actor_id, "comment_id": event.comment_id}
    return args | ({"is_opening": True} if event.is_opening else {})


def _tell_comment(
    work: UnitOfWork, notice: _Writer, *, comment_id: int, is_opening: bool = False
) -> Iterator[Addressed]:
    comment = work.session.get(Comment, comment_id)
    discussion = work.session.get(Discussion, comment.discussion_id) if comment else None
    if comment is None or discussion is None or discussion.repository.deleted_at is not None:
        return
    if comment.hidden_at is not None:
        return
    named = notice(NotificationEvent.MENTION, *_comment_words(work, discussion, comment, "mentioned you on"))
    yield named, _named_in(comment.content) & wants(discussion)
    did = "opened an issue on" if is_opening else "commented on"
    yield notice(NotificationEvent.COMMENT, *_comment_words(work, discussion, comment, did)), told_of(discussion)


def _comment_words(work: UnitOfWork, discussion: Discussion, comment: Comment, did: str) -> tuple[str, str, str, str]:
    repository = discussion.repository
    return (
        f"{did} {repository.path}: {discussion.title}",
        " ".join(comment.content.split()),
        shorten(comment.content, _EXCERPT_CHARS),
        f"{_address(work, repository)}/community/{discussion.number}",
    )


def _named_in(text: str) -> ColumnElement[bool]:
    """Those whom a text mentions."""
    names = find_mentions(text)
    return User.id.in_(select(User.id).join(User.namespace).where(Namespace.path_key.in_(names))) if names else false()


def _concern_mentioned(_work: UnitOfWork, event: PeopleMentioned) -> dict[str, Any]:
    people = {"comment_id": event.comment_id, "user_ids": [*event.user_ids]}
    return {"about": "people_mentioned", "actor_id": event.actor_id} | people


def _tell_mentioned(work: UnitOfWork, notice: _Writer, *, comment_id: int, user_ids: list[int]) -> Iterator[Addressed]:
    comment = work.session.get(Comment, comment_id)
    discussion = work.session.get(Discussion, comment.discussion_id) if comment else None
    if comment is None or discussion is None or discussion.repository.deleted_at is not None:
        return
    if comment.hidden_at is None:
        told = notice(NotificationEvent.MENTION, *_comment_words(work, discussion, comment, "mentioned you on"))
        yield told, User.id.in_(user_ids) & wants(discussion)


def _concern_assigned(_work: UnitOfWork, event: PeopleAssigned) -> dict[str, Any]:
    people = {"discussion_id": event.discussion_id, "user_ids": [*event.user_ids]}
    return {"about": "people_assigned", "actor_id": event.actor_id} | people


def _tell_assigned(
    work: UnitOfWork, notice: _Writer, *, discussion_id: int, user_ids: list[int]
) -> Iterator[Addressed]:
    discussion = work.session.get(Discussion, discussion_id)
    if discussion is None or discussion.repository.deleted_at is not None:
        return
    repository = discussion.repository
    words = f"assigned you on {repository.path}: {discussion.title}"
    told = notice(NotificationEvent.MENTION, words, url=f"{_address(work, repository)}/community/{discussion.number}")
    assigned = select(Assignee.user_id).where(Assignee.discussion_id == discussion.id, Assignee.user_id.in_(user_ids))
    yield told, User.id.in_(assigned) & wants(discussion)


# Pull requests: the same people.


def _concern_pull(
    _work: UnitOfWork, event: PullRequestOpened | PullRequestClosed | PullRequestMerged
) -> dict[str, Any]:
    what = _PULL_WORDS[type(event)]
    if isinstance(event, PullRequestOpened) and event.is_again:
        what = "opened again"
    args = {"discussion_id": event.discussion_id, "what": what}
    return {"about": "pull_request", "actor_id": event.actor_id} | args


_PULL_WORDS: dict[type, str] = {PullRequestOpened: "opened", PullRequestClosed: "closed", PullRequestMerged: "merged"}


def _tell_pull(work: UnitOfWork, notice: _Writer, *, discussion_id: int, what: str) -> Iterator[Addressed]:
    discussion = work.session.get(Discussion, discussion_id)
    if discussion is None or discussion.repository.deleted_at is not None:
        return
    repository = discussion.repository
    words = f"{what} a pull request on {repository.path}: {discussion.title}"
    first = select(Comment).where(Comment.discussion_id == discussion.id).order_by(Comment.id).limit(1)
    comment = work.session.scalar(first) if what == _PULL_WORDS[PullRequestOpened] else None
    if comment is not None and comment.hidden_at is None:
        named = notice(NotificationEvent.MENTION, *_comment_words(work, discussion, comment, "mentioned you on"))
        yield named, _named_in(comment.content) & wants(discussion)
    told = notice(NotificationEvent.COMMENT, words, url=f"{_address(work, repository)}/community/{discussion.number}")
    yield told, told_of(discussion)


# Reviews: whoever was asked for one; of one that was given the same people as of comments, once, whatever it says.


def _concern_review_request(_work: UnitOfWork, event: ReviewRequested) -> dict[str, Any]:
    people = {"discussion_id": event.discussion_id, "user_id": event.user_id}
    return {"about": "review_requested", "actor_id": event.actor_id} | people


def _tell_review_request(work: UnitOfWork, notice: _Writer, *, discussion_id: int, user_id: int) -> Iterator[Addressed]:
    discussion = work.session.get(Discussion, discussion_id)
    if discussion is None or discussion.repository.deleted_at is not None:
        return
    repository = discussion.repository
    words = f"asks you to review a pull request on {repository.path}: {discussion.title}"
    told = notice(
        NotificationEvent.REVIEW_REQUEST, words, url=f"{_address(work, repository)}/community/{discussion.number}"
    )
    asked = select(ReviewRequest.user_id).where(
        ReviewRequest.discussion_id == discussion.id, ReviewRequest.user_id == user_id
    )
    yield told, User.id.in_(asked) & wants(discussion)


def _concern_review(_work: UnitOfWork, event: PullRequestReviewed) -> dict[str, Any]:
    return {"about": "review_given", "actor_id": event.actor_id, "review_id": event.review_id}


_REVIEW_WORDS = {
    ReviewState.APPROVED: "approved",
    ReviewState.CHANGES: "asks for changes to",
    ReviewState.COMMENTED: "commented on the files of",
}


def _tell_review(work: UnitOfWork, notice: _Writer, *, review_id: int) -> Iterator[Addressed]:
    review = work.session.get(Review, review_id)
    discussion = work.session.get(Discussion, review.discussion_id) if review else None
    if review is None or discussion is None or discussion.repository.deleted_at is not None:
        return
    repository = discussion.repository
    about_lines = select(Comment.content).where(
        Comment.discussion_id == discussion.id, Comment.review_id == review.id, Comment.hidden_at.is_(None)
    )
    texts = [review.content, *work.session.scalars(about_lines.order_by(Comment.id))]
    text = "\n\n".join(said for said in texts if said)
    rest = (
        shorten(" ".join(text[:_EXCERPT_CHARS].split()), MAX_SUMMARY_CHARS),
        shorten(text, _EXCERPT_CHARS),
        f"{_address(work, repository)}/community/{discussion.number}",
    )
    where = f"a pull request on {repository.path}: {discussion.title}"
    yield notice(NotificationEvent.MENTION, f"mentioned you on {where}", *rest), _named_in(text) & wants(discussion)
    yield notice(NotificationEvent.COMMENT, f"{_REVIEW_WORDS[review.state]} {where}", *rest), told_of(discussion)


# Access to gated repositories: who decides of a request, then who asked.


def _concern_request(_work: UnitOfWork, event: AccessRequested | AccessDecided) -> dict[str, Any]:
    args: dict[str, Any] = {"actor_id": event.actor_id, "request_id": event.request_id}
    if isinstance(event, AccessRequested):
        return {"about": "access_requested"} | args
    return {"about": "access_decided", "state": event.state} | args


def _find_request(work: UnitOfWork, request_id: int) -> tuple[GateRequest, Repository] | None:
    request = work.session.get(GateRequest, request_id)
    repository = work.session.get(Repository, request.repository_id) if request else None
    if request is None or repository is None or repository.deleted_at is not None:
        return None
    return request, repository


def _tell_requested(work: UnitOfWork, notice: _Writer, *, request_id: int) -> Iterator[Addressed]:
    found = _find_request(work, request_id)
    if found is None:
        return
    request, repository = found
    words = f"asks for access to the {_kind(work, repository)} {repository.path}"
    if request.state is RequestState.ACCEPTED:
        words = f"asked for access to the {_kind(work, repository)} {repository.path}, and has it"
    yield notice(NotificationEvent.ASSET, words, url=_address(work, repository)), _administers(repository)


def _tell_decided(work: UnitOfWork, notice: _Writer, *, request_id: int, state: str) -> Iterator[Addressed]:
    found = _find_request(work, request_id)
    if found is None or found[0].state != state:  # it was decided once more, which is told, too
        return
    request, repository = found
    words = {
        RequestState.ACCEPTED: "gave you access to",
        RequestState.REJECTED: "rejected your request for access to",
        RequestState.PENDING: "took back the decision on your request for access to",
    }[request.state]
    text = f"{words} the {_kind(work, repository)} {repository.path}"
    told = notice(NotificationEvent.ASSET, text, request.reason, url=_address(work, repository))
    yield told, (User.id == request.user_id) & readers_of(repository)


def _administers(repository: Repository) -> ColumnElement[bool]:
    """The owner, and those whose role by membership or grant is to administer it."""
    roles = [role for role in Role if role.rank >= Role.ADMIN.rank]
    granted = select(Grant.user_id).where(
        Grant.resource_type == Repository.resource_type,
        Grant.resource_id == repository.id,
        Grant.role.in_(roles),
    )
    members = members_of(repository.namespace_id).where(Member.role.in_(roles))
    return or_(User.namespace_id == repository.namespace_id, User.id.in_(members), User.id.in_(granted))


# Memberships: the member.


def _concern_member(_work: UnitOfWork, event: MemberAdded | MemberChanged | MemberRemoved) -> dict[str, Any] | None:
    if event.actor_id == event.user_id or (isinstance(event, MemberRemoved) and event.is_by_departure):
        return None
    about = {MemberAdded: "member_added", MemberChanged: "member_changed", MemberRemoved: "member_removed"}[type(event)]
    member = {"organization_id": event.organization_id, "user_id": event.user_id, "role": event.role.value}
    return {"about": about, "actor_id": event.actor_id} | member


def _member_teller(words: str) -> Callable[..., Iterator[Addressed]]:
    def tell(
        work: UnitOfWork, notice: _Writer, *, organization_id: int, user_id: int, role: str
    ) -> Iterator[Addressed]:
        organization = work.session.get(Organization, organization_id)
        if organization is not None:
            text = words.format(organization=organization.name, role=role)
            yield notice(NotificationEvent.ORGANIZATION, text, url=f"/{organization.name}"), User.id == user_id

    return tell


# Webhooks: who set it up.


def _concern_webhook(_work: UnitOfWork, event: WebhookDisabled) -> dict[str, Any] | None:
    if event.user_id is None:
        return None
    return {"about": "webhook_disabled", "actor_id": None, "webhook_id": event.webhook_id}


def _tell_webhook(work: UnitOfWork, notice: _Writer, *, webhook_id: int) -> Iterator[Addressed]:
    webhook = work.session.get(Webhook, webhook_id)
    if webhook is None or webhook.is_active or webhook.created_by_id is None:
        return
    words = f"switched off your webhook {webhook.name or webhook.uuid}"
    summary = "Too many messages in a row were not taken. Look at its deliveries, then switch it on again."
    yield notice(NotificationEvent.SYSTEM, words, summary), User.id == webhook.created_by_id


_CONCERNS: dict[type, Callable[[UnitOfWork, Any], dict[str, Any] | None]] = {
    RepositoryCreated: _concern_repository,
    RepositoryDeleted: _concern_repository,
    RepositoryMoved: _concern_moved,
    DiscussionCreated: _concern_issue,
    CommentCreated: _concern_comment,
    PeopleMentioned: _concern_mentioned,
    PeopleAssigned: _concern_assigned,
    PullRequestOpened: _concern_pull,
    PullRequestClosed: _concern_pull,
    PullRequestMerged: _concern_pull,
    ReviewRequested: _concern_review_request,
    PullRequestReviewed: _concern_review,
    AccessRequested: _concern_request,
    AccessDecided: _concern_request,
    MemberAdded: _concern_member,
    MemberChanged: _concern_member,
    MemberRemoved: _concern_member,
    WebhookDisabled: _concern_webhook,
}
_COMPOSERS: dict[str, Callable[..., Iterator[Addressed]]] = {
    "repository_created": _tell_created,
    "repository_deleted": _tell_deleted,
    "repository_moved": _tell_moved,
    "issue_opened": _tell_issue,
    "comment_created": _tell_comment,
    "people_mentioned": _tell_mentioned,
    "people_assigned": _tell_assigned,
    "pull_request": _tell_pull,
    "review_requested": _tell_review_request,
    "review_given": _tell_review,
    "access_requested": _tell_requested,
    "access_decided": _tell_decided,
    "member_added": _member_teller("made you a member of {organization}, with the role {role}"),
    "member_changed": _member_teller("gave you the role {role} in {organization}"),
    "member_removed": _member_teller("ended your membership in {organization}"),
    "webhook_disabled": _tell_webhook,
}


def _kind(work: UnitOfWork, repository: Repository) -> str:
    kind = work.context[KINDS].find(repository.kind)
    title = kind.title if kind else repository.kind
    return title if title[:2].isupper() else title.lower()  # a model, an MCP server


def _address(work: UnitOfWork, repository: Repository) -> str:
    """The path of the repository's page; empty while the plugin that has its kind does not run."""
    kind = work.context[KINDS].find(repository.kind)
    return f"/{kind.page_path}/{repository.path}" if kind else ""
