"""One issue or pull request as its page shows it, and how an issue is opened with labels and people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal, or_, select, union_all
from sqlalchemy.orm import joinedload

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.base.errors import Invalid
from hub.base.paging import Page, PageArgs
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionEventType, DiscussionStatus
from hub.community.models_people import DiscussionLabel
from hub.community.service import labels, people, timeline
from hub.community.service.discussions import create_discussion
from hub.community.service.people import Participants, Telling
from hub.community.service.reactions import Reactions, reactions_of
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository


def open_issue(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    title: str,
    description: str = "",
    names: Sequence[str] = (),
    assignees: Sequence[str] = (),
) -> Discussion:
    """A new issue. names: of labels, which who opens it may put on. assignees: for who may write to the repository.

    Raises what ``create_discussion``, ``labels.find_labels`` and ``people.assign`` raise.
    """
    discussion = create_discussion(work, actor=actor, repository_id=repository_id, title=title, description=description)
    if names:
        chosen = labels.find_labels(work, discussion.repository_id, names)
        labels.add_labels(work, discussion, chosen, user_id=actor.user_id)
    if assignees:
        people.assign(work, actor=actor, discussion_id=discussion.id, names=assignees)
    return discussion


class Cursor(NamedTuple):
    """How far somebody has read a discussion: the last comment and the last event that they were shown."""

    comment_id: int = 0
    event_id: int = 0

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """What ``str()`` wrote. Raises Invalid (``REQ-ERR-6``)."""
        found = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text, re.ASCII)
        if found is None:
            raise Invalid("'since' must be what the page gave.", code="REQ-ERR-6", query="since")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.comment_id}-{self.event_id}"


@dataclass(frozen=True)
class Conversation:
    """A discussion and a page of what happened in it, the oldest first, with all that is shown beside them.

    reason: why it is closed, of ``timeline.CLOSE_REASONS``, or empty; duplicate_of: a number. users: those of whom
    events tell, by id. sources: where it was named, by id, their repositories loaded.
    """

    discussion: Discussion
    page: Page[Comment | DiscussionEvent]
    labels: Sequence[DiscussionLabel]
    assignees: Sequence[User]
    participants: Participants
    telling: Telling
    reason: str = ""
    duplicate_of: int | None = None
    reactions: dict[int, Reactions] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    sources: dict[int, Discussion] = field(default_factory=dict)


@dataclass(frozen=True)
class News:
    """What came into a discussion since a cursor. cursor: at the end of it."""

    count: int
    cursor: Cursor


def count_news(work: UnitOfWork, discussion: Discussion, *, actor: Actor, since: Cursor | None = None) -> News:
    """How much came into a discussion that the actor may read, and where it ends by now. One query."""
    said, done = _of(work, discussion, actor, since)
    row = work.session.execute(
        select(
            select(func.count(Comment.id)).where(*said).scalar_subquery(),
            select(func.count(DiscussionEvent.id)).where(*done).scalar_subquery(),
            select(func.max(Comment.id)).where(*said).scalar_subquery(),
            select(func.max(DiscussionEvent.id)).where(*done).scalar_subquery(),
        )
    ).one()
    start = since or Cursor()
    return News(row[0] + row[1], Cursor(row[2] or start.comment_id, row[3] or start.event_id))


def read_conversation(
    work: UnitOfWork,
    discussion: Discussion,
    *,
    actor: Actor,
    page: PageArgs | None = None,
    since: Cursor | None = None,
) -> Conversation:
    """A discussion that the actor may read. since: only what came after it. As many queries for any page."""
    shown = _read_page(work, discussion, actor, page or PageArgs(), since)
    events = [one for one in shown.items if isinstance(one, DiscussionEvent)]
    comments = [one.id for one in shown.items if isinstance(one, Comment)]
    closing = None
    if discussion.status == DiscussionStatus.CLOSED:
        closing = timeline.find_last(work, discussion, DiscussionEventType.STATUS_CHANGE)
    why = closing.data if closing is not None else {}
    return Conversation(
        discussion,
        shown,
        labels.labels_of(work, [discussion.id])[discussion.id],
        people.assignees_of(work, [discussion.id])[discussion.id],
        people.find_participants(work, discussion),
        people.find_telling(work, discussion, actor=actor),
        why.get("reason", ""),
        why.get("duplicate_of"),
        reactions_of(work, comments, actor=actor),
        _users_of(work, events),
        _sources_of(work, events),
    )


def _read_page(
    work: UnitOfWork, discussion: Discussion, actor: Actor, page: PageArgs, since: Cursor | None
) -> Page[Comment | DiscussionEvent]:
    said, done = _of(work, discussion, actor, since)
    counts = select(
        select(func.count(Comment.id)).where(*said).scalar_subquery(),
        select(func.count(DiscussionEvent.id)).where(*done).scalar_subquery(),
    )
    comment_count, event_count = work.session.execute(counts).one()
    each = union_all(
        select(Comment.created_at.label("created_at"), literal(0).label("sort"), Comment.id.label("id")).where(*said),
        select(DiscussionEvent.created_at, literal(1), DiscussionEvent.id).where(*done),
    ).subquery()
    found = work.session.execute(
        select(each.c.sort, each.c.id)
        .order_by(each.c.created_at, each.c.sort, each.c.id)
        .offset(page.offset)
        .limit(page.per)
    ).all()
    comments = select(Comment).where(Comment.id.in_([row.id for row in found if row.sort == 0]))
    events = select(DiscussionEvent).where(DiscussionEvent.id.in_([row.id for row in found if row.sort == 1]))
    rows: dict[tuple[int, int], Comment | DiscussionEvent] = {}
    rows |= {(0, row.id): row for row in work.session.scalars(comments.options(joinedload(Comment.user)))}
    rows |= {(1, row.id): row for row in work.session.scalars(events.options(joinedload(DiscussionEvent.user)))}
    # Between two queries of a reader something may have gone.
    items = [rows[sort, id] for sort, id in found if (sort, id) in rows]
    return Page(items, comment_count + event_count)


def _of(
    work: UnitOfWork, discussion: Discussion, actor: Actor, since: Cursor | None
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """Which comments and which events are shown. What was said about lines is shown there, not here."""
    said = [Comment.discussion_id == discussion.id, Comment.thread_id.is_(None)]
    done = [DiscussionEvent.discussion_id == discussion.id, _may_see(work, actor)]
    if since is not None:
        said.append(Comment.id > since.comment_id)
        done.append(DiscussionEvent.id > since.event_id)
    return said, done


def _may_see(work: UnitOfWork, actor: Actor) -> ColumnElement[bool]:
    """That something was named elsewhere is for those who may read where."""
    there = (
        select(literal(1))
        .select_from(Discussion)
        .join(Repository, Repository.id == Discussion.repository_id)
        .where(
            Discussion.id == cast(DiscussionEvent.data["discussion_id"].as_string(), BigInteger),
            is_live(),
            Repository.kind.in_([*work.context[KINDS]]),
            may_read(actor),
        )
    )
    return or_(DiscussionEvent.type != DiscussionEventType.REFERENCED, there.correlate(DiscussionEvent).exists())


def _users_of(work: UnitOfWork, events: Sequence[DiscussionEvent]) -> dict[int, User]:
    ids = {user_id for event in events for user_id in event.data.get("user_ids", ())}
    return {user.id: user for user in work.session.scalars(select(User).where(User.id.in_(ids)))} if ids else {}


def _sources_of(work: UnitOfWork, events: Sequence[DiscussionEvent]) -> dict[int, Discussion]:
    ids = {event.data["discussion_id"] for event in events if event.type == DiscussionEventType.REFERENCED}
    if not ids:
        return {}
    rows = work.session.scalars(
        select(Discussion).where(Discussion.id.in_(ids)).options(joinedload(Discussion.repository))
    )
    return {row.id: row for row in rows}
