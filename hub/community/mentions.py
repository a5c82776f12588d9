"""Who and what is named in discussions: noted when something is said, in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, case, cast, func, select, tuple_

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.events import publish
from hub.community import events
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionEventType
from hub.community.models_people import Mention
from hub.community.models_reviews import Review
from hub.community.service.discussions import record
from hub.community.service.marks import MAX_MENTIONS, MAX_REFERENCES, find_mentions, find_references
from hub.community.service.people import readers_of
from hub.community.service.reviews import MAX_COMMENTS
from hub.db.insert import insert_new_keys
from hub.db.uow import UnitOfWork
from hub.repos.kinds import find_kind
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository

# So many others are shown where one is named.
MAX_REFERENCED = 100


def install(context: Context) -> None:
    """Note it from now on; done once, by ``hub.community.install``."""
    context.events.record_with(_record)


def _record(work: UnitOfWork, event: object) -> None:
    match event:
        case events.CommentCreated():
            _note_comment(work, event.comment_id, event.actor_id)
        case events.CommentUpdated():
            told = _note_comment(work, event.comment_id, event.actor_id)
            if told:
                publish(work, events.PeopleMentioned(event.comment_id, tuple(told), event.actor_id))
        case events.PullRequestOpened(is_again=False):
            first = select(Comment.id).where(Comment.discussion_id == event.discussion_id).order_by(Comment.id)
            if (comment_id := work.session.scalar(first.limit(1))) is not None:
                _note_comment(work, comment_id, event.actor_id)
        case events.PullRequestReviewed():
            review = work.session.get(Review, event.review_id)
            discussion = work.session.get(Discussion, event.discussion_id)
            if review is not None and discussion is not None:
                said = select(Comment.content).where(Comment.review_id == review.id).order_by(Comment.id)
                texts = [review.content, *work.session.scalars(said.limit(MAX_COMMENTS))]
                _note(work, discussion, texts, event.actor_id)


def _note_comment(work: UnitOfWork, comment_id: int, actor_id: int | None) -> list[int]:
    comment = work.session.get(Comment, comment_id)
    discussion = work.session.get(Discussion, comment.discussion_id) if comment else None
    if comment is None or discussion is None or comment.hidden_at is not None:
        return []
    return _note(work, discussion, [comment.content], actor_id)


def _note(work: UnitOfWork, discussion: Discussion, texts: Sequence[str], actor_id: int | None) -> list[int]:
    """Note whom and what is named in texts; the ids of the people whom the discussion did not name before."""
    references = dict.fromkeys(reference for text in texts for reference in find_references(text))
    if references:
        _note_references(work, discussion, [*references][:MAX_REFERENCES], actor_id)
    names = [*dict.fromkeys(name for text in texts for name in find_mentions(text))][:MAX_MENTIONS]
    if not names:
        return []
    wanted = (
        select(User.id).join(User.namespace).where(Namespace.path_key.in_(names), readers_of(discussion.repository))
    )
    now = work.now()
    rows = [
        {"discussion_id": discussion.id, "user_id": user_id, "created_at": now}
        for user_id in work.session.scalars(wanted.order_by(User.id))
        if user_id != actor_id
    ]
    return sorted(key.user_id for key in insert_new_keys(work.session, Mention, rows))


def _note_references(
    work: UnitOfWork, source: Discussion, references: Sequence[tuple[str, int]], actor_id: int | None
) -> None:
    """Tell the discussions that are named, in repositories that the one who names them may read. Each hears it once."""
    repositories = _find_repositories(work, source, {path for path, _ in references if path}, actor_id)
    wanted = {(repositories[path], number) for path, number in references if path in repositories}
    targets = [
        discussion
        for discussion in work.session.scalars(
            select(Discussion).where(tuple_(Discussion.repository_id, Discussion.number).in_(sorted(wanted)))
        )
        if discussion.id != source.id
    ]
    if not targets:
        return
    is_same = cast(DiscussionEvent.data["discussion_id"].as_string(), BigInteger) == source.id
    known = work.session.execute(
        select(DiscussionEvent.discussion_id, func.count(), func.max(case((is_same, 1), else_=0)))
        .where(
            DiscussionEvent.discussion_id.in_([target.id for target in targets]),
            DiscussionEvent.type == DiscussionEventType.REFERENCED,
        )
        .group_by(DiscussionEvent.discussion_id)
    )
    done = {target_id for target_id, count, has in known if has or count >= MAX_REFERENCED}
    for target in targets:
        if target.id not in done:
            record(work, target, DiscussionEventType.REFERENCED, {"discussion_id": source.id}, user_id=actor_id)


def _find_repositories(work: UnitOfWork, source: Discussion, paths: set[str], actor_id: int | None) -> dict[str, int]:
    """The ids of repositories by the paths that a text gives them; "": the text's own.

    Where things of several kinds have a path, the one of the text's kind is meant.
    """
    own = {"": source.repository_id}
    user = work.session.get(User, actor_id) if actor_id is not None else None
    if not paths or user is None:
        return own
    split = {path: path.split("/") for path in paths}
    actor = Actor.of_user(user, via="session")
    rows = work.session.execute(
        select(Repository.id, Repository.kind, Namespace.path_key, Repository.name_key)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(tuple_(Namespace.path_key, Repository.name_key).in_([tuple(parts[-2:]) for parts in split.values()]))
        .where(is_live())
        .where(may_read(actor))
        .order_by(Repository.kind != source.repository.kind, Repository.id)
    ).all()
    found = dict(own)
    for path, (*collection, namespace, name) in split.items():
        kind = find_kind(work.context, collection[0]) if collection else None
        if collection and kind is None:
            continue
        for row in rows:
            if (row.path_key, row.name_key) == (namespace, name) and (kind is None or row.kind == kind.name):
                found[path] = row.id
                break
    return found
