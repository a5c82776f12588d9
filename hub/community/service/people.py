"""The people of a discussion: who is to see to it, who takes part, and who is told of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, CompoundSelect, Select, delete, func, or_, select, union, update

from hub.accounts.models import Member, Namespace, Organization, Role, User
from hub.accounts.policy import Action, Actor, holders, require
from hub.accounts.service import get_own_user
from hub.base.errors import Conflict, NotFound
from hub.base.events import publish
from hub.base.names import fold_name
from hub.community.events import PeopleAssigned
from hub.community.models import Comment, Discussion, DiscussionEventType
from hub.community.models_people import Assignee, Mention, RepositoryWatch, Subscription
from hub.community.models_reviews import Review, ReviewRequest
from hub.community.service.discussions import count_of, get_discussion, record
from hub.community.service.texts import check_line
from hub.community.service.watches import Level, find_level
from hub.db.insert import insert_new, insert_new_keys
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository

MAX_ASSIGNEES = 10
MAX_PARTICIPANTS = 50  # that are shown
_MAX_NAME_CHARS = 64

# Who is told.


def people_of(namespace_id: int) -> ColumnElement[bool]:
    """Of ``User``: whose namespace it is, or the members of the organisation."""
    return or_(User.namespace_id == namespace_id, User.id.in_(members_of(namespace_id)))


def members_of(namespace_id: int) -> Select[int]:
    """The ids of the members of the organisation whose namespace it is."""
    return (
        select(Member.user_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Organization.namespace_id == namespace_id)
    )


def readers_of(repository: Repository) -> ColumnElement[bool]:
    """Of ``User``: ``policy.can`` with REPOSITORY_READ, asked of the users instead of the repositories."""
    return holders(repository, least=Role.READ) if repository.is_private else User.id.is_not(None)


def taking_part(discussion: Discussion) -> CompoundSelect[int | None]:
    """The ids of those whom a discussion concerns, whether or not they want to be told."""
    here = discussion.id
    return union(
        select(User.id).where(User.namespace_id == discussion.repository.namespace_id),
        select(Repository.created_by_id).where(Repository.id == discussion.repository_id),
        select(Discussion.user_id).where(Discussion.id == here),
        select(Comment.user_id).where(Comment.discussion_id == here),
        select(Assignee.user_id).where(Assignee.discussion_id == here),
        select(Mention.user_id).where(Mention.discussion_id == here),
        select(ReviewRequest.user_id).where(ReviewRequest.discussion_id == here),
        select(Review.user_id).where(Review.discussion_id == here),
        select(Subscription.user_id).where(Subscription.discussion_id == here, Subscription.is_wanted.is_(True)),
        _watching(discussion, Level.ALL),
    )


def _watching(discussion: Discussion, level: Level) -> Select[int]:
    return select(RepositoryWatch.user_id).where(
        RepositoryWatch.repository_id == discussion.repository_id, RepositoryWatch.level == level
    )


def wants(discussion: Discussion) -> ColumnElement[bool]:
    """Of ``User``: may read it, and has not said that they want to hear nothing of it, or of its repository."""
    said = select(Subscription.user_id).where(Subscription.discussion_id == discussion.id)
    hears = User.id.in_(said.where(Subscription.is_wanted.is_(True)))
    refused = said.where(Subscription.is_wanted.is_(False)).union_all(_watching(discussion, Level.IGNORE))
    return or_(hears, User.id.not_in(refused)) & readers_of(discussion.repository)


def told_of(discussion: Discussion) -> ColumnElement[bool]:
    """Of ``User``: is told of what happens in a discussion."""
    return User.id.in_(taking_part(discussion)) & wants(discussion)


@dataclass(frozen=True)
class Telling:
    """Whether somebody is told of a discussion; choice: what they said: True, False, or None: nothing."""

    is_told: bool
    choice: bool | None


def find_telling(work: UnitOfWork, discussion: Discussion, *, actor: Actor) -> Telling:
    """What the actor is told. Three queries at most; of nobody, none."""
    if actor.user_id is None:
        return Telling(False, None)
    choice = work.session.scalar(
        select(Subscription.is_wanted).where(
            Subscription.discussion_id == discussion.id, Subscription.user_id == actor.user_id
        )
    )
    if choice is not None:
        return Telling(choice, choice)
    level = find_level(work, actor=actor, repository_id=discussion.repository_id)
    if level != Level.PARTICIPATING:
        return Telling(level == Level.ALL, None)
    part = taking_part(discussion).subquery()
    is_part = select(part.c[0]).where(part.c[0] == actor.user_id).limit(1)
    return Telling(work.session.scalar(is_part) is not None, None)


def subscribe(work: UnitOfWork, *, actor: Actor, discussion_id: int, is_wanted: bool | None) -> Telling:
    """Say whether one wants to be told of a discussion; None: as those who take part are. May be repeated.

    Raises NotFound, NotSignedIn, Denied.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    own = (Subscription.discussion_id == discussion.id, Subscription.user_id == user.id)
    if is_wanted is None:
        count_of(work, delete(Subscription).where(*own))
    else:
        row = {"discussion_id": discussion.id, "user_id": user.id, "is_wanted": is_wanted, "created_at": work.now()}
        insert_new(work.session, Subscription, [row])
        count_of(work, update(Subscription).where(*own).values(is_wanted=is_wanted))
    return find_telling(work, discussion, actor=actor)


# Who is to see to it.


def find_readers(work: UnitOfWork, repository: Repository, names: Sequence[str]) -> list[User]:
    """The accounts of those names, who may all read the repository.

    Raises NotFound (``user_not_found``) for one who may not, or does not exist; Invalid (``REQ-ERR-6``).
    """
    keys = list(dict.fromkeys(fold_name(check_line(name, what="users", most=_MAX_NAME_CHARS)) for name in names))
    rows = work.session.scalars(
        select(User).join(User.namespace).where(Namespace.path_key.in_(keys), readers_of(repository))
    )
    found = {fold_name(user.name): user for user in rows}
    for key in keys:
        if key not in found:
            raise NotFound(f"There is no user {key!r} who may read this repository.", code="user_not_found")
    return [found[key] for key in keys]


def assign(work: UnitOfWork, *, actor: Actor, discussion_id: int, names: Sequence[str]) -> list[User]:
    """Ask people to see to a discussion, and tell them; who does by then. For who may write to the repository.

    May be repeated. Raises NotFound, NotSignedIn, Denied; Conflict (``too_many_assignees``).
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require(work, actor, Action.REPOSITORY_WRITE, discussion.repository)
    users = find_readers(work, discussion.repository, names)
    rows = [{"discussion_id": discussion.id, "user_id": user.id, "created_at": work.now()} for user in users]
    new = sorted(key.user_id for key in insert_new_keys(work.session, Assignee, rows))
    assigned = assignees_of(work, [discussion.id])[discussion.id]
    if new:
        if len(assigned) > MAX_ASSIGNEES:
            raise Conflict(f"At most {MAX_ASSIGNEES} people can be assigned.", code="too_many_assignees")
        record(work, discussion, DiscussionEventType.ASSIGNED, {"user_ids": new}, user_id=actor.user_id)
        publish(work, PeopleAssigned(discussion.id, tuple(new), actor.user_id))
    return assigned


def unassign(work: UnitOfWork, *, actor: Actor, discussion_id: int, name: str) -> list[User]:
    """Ask somebody no more to see to a discussion; who does by then. May be repeated. Raises as ``assign``."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require(work, actor, Action.REPOSITORY_WRITE, discussion.repository)
    key = fold_name(check_line(name, what="user", most=_MAX_NAME_CHARS))
    assigned = assignees_of(work, [discussion.id])[discussion.id]
    user = next((user for user in assigned if fold_name(user.name) == key), None)
    if user is not None:
        row = delete(Assignee).where(Assignee.discussion_id == discussion.id, Assignee.user_id == user.id)
        if count_of(work, row):
            data = {"user_ids": [user.id]}
            record(work, discussion, DiscussionEventType.UNASSIGNED, data, user_id=actor.user_id)
    return [other for other in assigned if other is not user]


def assignees_of(work: UnitOfWork, discussion_ids: Sequence[int]) -> dict[int, list[User]]:
    """Who is to see to discussions, by their ids, in the order in which they were asked. One query."""
    found: dict[int, list[User]] = defaultdict(list)
    if discussion_ids:
        rows = work.session.execute(
            select(Assignee.discussion_id, User)
            .join(User, User.id == Assignee.user_id)
            .where(Assignee.discussion_id.in_(discussion_ids))
            .order_by(Assignee.created_at, User.id)
        )
        for discussion_id, user in rows:
            found[discussion_id].append(user)
    return found


@dataclass(frozen=True)
class Participants:
    """Who said something in a discussion, at most ``MAX_PARTICIPANTS`` of them, and how many there are."""

    users: Sequence[User]
    total: int


def find_participants(work: UnitOfWork, discussion: Discussion) -> Participants:
    """Who opened it, commented or reviewed. One query."""
    said = union(
        select(Discussion.user_id.label("user_id")).where(Discussion.id == discussion.id),
        select(Comment.user_id).where(Comment.discussion_id == discussion.id),
        select(Review.user_id).where(Review.discussion_id == discussion.id),
    ).subquery()
    rows = work.session.execute(
        select(User, func.count().over())
        .join(said, said.c.user_id == User.id)
        .order_by(User.id)
        .limit(MAX_PARTICIPANTS)
    ).all()
    return Participants([user for user, _ in rows], rows[0][1] if rows else 0)
