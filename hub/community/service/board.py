"""Lists of issues and pull requests together: those of a repository, and those that concern the one who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, false, func, select
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.community.models import Comment, Discussion, DiscussionStatus
from hub.community.models_people import Assignee, DiscussionLabel, LabelledDiscussion, Mention
from hub.community.models_reviews import ReviewRequest
from hub.community.service.discussions import CLOSED, OPEN
from hub.community.service.labels import labels_of
from hub.community.service.people import assignees_of
from hub.community.service.switches import Switches, find_switches
from hub.community.service.texts import check_line
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS, find_kind
from hub.repos.lookup import get_readable, is_live, may_read
from hub.repos.models import Repository
from hub.repos.searching import literal_pattern

MAX_SEARCH_CHARS = 200
_MAX_WORDS = 8
_MAX_LABELS = 5

# A search finds so many of the newest by their titles, and as many by the beginnings of their comments, of which it
# looks at so many.
MAX_SEARCHED = 1_000
MAX_SEARCHED_COMMENTS = 10_000
_SEARCHED_CHARS = 8_000
# So many are counted; of more, totals and counts are of these, and said to be estimates.
MAX_COUNTED = 10_000
_MAX_PINNED = 20  # more than there are

STATES = {
    "": tuple(DiscussionStatus),
    "open": OPEN,
    "closed": CLOSED,
    "draft": (DiscussionStatus.DRAFT,),
    "merged": (DiscussionStatus.MERGED,),
}
TYPES = {"": None, "issue": False, "pull": True}
ROLES = ("created", "assigned", "mentioned", "review_requested")
_SORTS: dict[str, ColumnElement[Any]] = {
    "newest": Discussion.id.desc(),
    "oldest": Discussion.id.asc(),
    "updated": Discussion.updated_at.desc(),
    "comments": Discussion.comment_count.desc(),
}
SORTS = tuple(_SORTS)


@dataclass(frozen=True)
class Wanted:
    """What a list shall hold. type: of ``TYPES``; state: of ``STATES``; author, assignee: names of users.

    labels: each of them. words: each of them in the title, or in one comment. sort: of ``SORTS``.
    """

    type: str = ""
    state: str = ""
    labels: Sequence[str] = ()
    author: str = ""
    assignee: str = ""
    words: str = ""
    sort: str = "newest"


@dataclass(frozen=True)
class Counts:
    """How many there are besides, by the same filters: of that type, whatever the state, and the other way round."""

    open: int = 0
    closed: int = 0
    issues: int = 0
    pulls: int = 0


@dataclass(frozen=True)
class Board:
    """A page of discussions, their authors (and, across repositories, these) loaded, with what they carry, by id."""

    page: Page[Discussion]
    counts: Counts
    labels: dict[int, list[DiscussionLabel]] = field(default_factory=dict)
    assignees: dict[int, list[User]] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)


def list_community(
    work: UnitOfWork, *, actor: Actor, repository_id: int, wanted: Wanted, page: PageArgs | None = None
) -> Board:
    """The issues and pull requests of a repository; those that are pinned come first. As many queries for any page.

    Raises NotFound; Invalid (``REQ-ERR-6``) for words or labels beyond all measure.
    """
    page = page or PageArgs()
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    where = [Discussion.repository_id == repository.id]
    for name in (wanted.author, wanted.assignee):
        if not is_storable(name):
            return Board(Page((), 0), Counts())  # what the database could not even compare is nobody's name
    if wanted.author:
        where.append(Discussion.user_id.in_(_users_named(wanted.author)))
    if wanted.assignee:
        assigned = select(Assignee.discussion_id).where(Assignee.user_id.in_(_users_named(wanted.assignee)))
        where.append(Discussion.id.in_(assigned))
    where += [_carries(repository.id, name) for name in _check_labels(wanted.labels)]
    if words := _words_of(wanted.words):
        where.append(Discussion.id.in_(_find_ids(work, where, words)))
    counts, total, is_estimate = _count(work, where, wanted)
    query = select(Discussion).where(*where, *_chosen(wanted)).options(joinedload(Discussion.user))
    query = query.order_by(_SORTS[wanted.sort], Discussion.id.desc())
    # Apart from the others, whose order an index has.
    pinned = work.session.scalars(query.where(Discussion.pinned_at.is_not(None)).limit(_MAX_PINNED)).all()
    found = [*pinned[page.offset : page.offset + page.per]]
    if len(found) < page.per:
        others = query.where(Discussion.pinned_at.is_(None)).offset(max(page.offset - len(pinned), 0))
        found += work.session.scalars(others.limit(page.per - len(found)))
    ids = [discussion.id for discussion in found]
    return Board(
        Page(found, max(total, page.offset + len(found)) if found else total, is_estimate),
        counts,
        labels_of(work, ids),
        assignees_of(work, ids),
        find_switches(work, repository.id),
    )


def list_mine(
    work: UnitOfWork,
    *,
    actor: Actor,
    role: str = "created",
    type: str = "",
    state: str = "",
    repository: str = "",
    page: PageArgs | None = None,
) -> Board:
    """The issues and pull requests that concern the actor, in all repositories that they may read by now.

    role: how, of ``ROLES``. repository: only those of this one, ``namespace/name`` or with its collection before it.
    What was last active comes first. Raises NotSignedIn, Denied; Invalid (``REQ-ERR-6``).
    """
    page = page or PageArgs()
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    where = [_concerns(user, role), is_live(), may_read(actor), Repository.kind.in_([*work.context[KINDS]])]
    if repository:
        where += _is_at(work, repository)
    wanted = Wanted(type=type, state=state)
    counts, total, is_estimate = _count(work, where, wanted)
    found = work.session.scalars(
        select(Discussion)
        .join(Discussion.repository)
        .where(*where, *_chosen(wanted))
        .options(contains_eager(Discussion.repository), joinedload(Discussion.user))
        .order_by(Discussion.updated_at.desc(), Discussion.id.desc())
        .offset(page.offset)
        .limit(page.per)
    ).all()
    ids = [discussion.id for discussion in found]
    total = max(total, page.offset + len(found)) if found else total
    return Board(Page(found, total, is_estimate), counts, labels_of(work, ids), assignees_of(work, ids))


def _concerns(user: User, role: str) -> ColumnElement[bool]:
    if role == "created":
        return Discussion.user_id == user.id
    tables: dict[str, Any] = {"assigned": Assignee, "mentioned": Mention, "review_requested": ReviewRequest}
    table = tables[role]
    return Discussion.id.in_(select(table.discussion_id).where(table.user_id == user.id))


def _is_at(work: UnitOfWork, path: str) -> list[ColumnElement[bool]]:
    *collection, namespace, name = ["", *check_line(path, what="repository", most=MAX_SEARCH_CHARS).split("/")][-3:]
    kind = find_kind(work.context, collection[0]) if collection and collection[0] else None
    if path.count("/") != 1 and kind is None:
        return [false()]
    namespaces = select(Namespace.id).where(Namespace.path_key == fold_name(namespace))
    where = [Repository.namespace_id.in_(namespaces), Repository.name_key == fold_name(name)]
    return [*where, Repository.kind == kind.name] if kind else where


def count_open(work: UnitOfWork, repository_id: int) -> int:
    """How many issues and pull requests of a repository are open, counted up to ``MAX_COUNTED``. One query."""
    return int(work.rows(_OPEN, {"repository_id": repository_id})[0][0])


def open_count_of(repository_id: ColumnElement[int]) -> ColumnElement[int]:
    """The same as a part of another query, for the one repository of that id."""
    return _open_of(repository_id).scalar_subquery()


def _open_of(repository_id: ColumnElement[int]) -> Select[int]:
    is_open = (Discussion.repository_id == repository_id, Discussion.status.in_(OPEN))
    return select(func.count()).select_from(select(Discussion.id).where(*is_open).limit(MAX_COUNTED).subquery())


_OPEN = _open_of(bindparam("repository_id", type_=Integer))


def _count(work: UnitOfWork, where: Sequence[ColumnElement[bool]], wanted: Wanted) -> tuple[Counts, int, bool]:
    """The counts, how many are wanted, and whether there are so many that not all were counted. One query."""
    rows = (
        select(Discussion.status, Discussion.is_pull_request)
        .join(Discussion.repository)
        .where(*where)
        .limit(MAX_COUNTED + 1)
        .subquery()
    )
    columns = (rows.c.status, rows.c.is_pull_request)
    grouped = select(*columns, func.count()).group_by(*columns).execution_options(**{PLANNED_EACH_TIME: True})
    counted = work.session.execute(grouped).all()
    type, states = TYPES[wanted.type], STATES[wanted.state]

    def count(*, of: bool | None, at: Sequence[DiscussionStatus]) -> int:
        return sum(number for status, is_pull, number in counted if status in at and of in (None, is_pull))

    counts = Counts(
        open=count(of=type, at=OPEN),
        closed=count(of=type, at=CLOSED),
        issues=count(of=False, at=states),
        pulls=count(of=True, at=states),
    )
    return counts, count(of=type, at=states), sum(number for _, _, number in counted) > MAX_COUNTED


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    type = TYPES[wanted.type]
    if type is not None:
        chosen.append(Discussion.is_pull_request.is_(type))
    if wanted.state:
        chosen.append(Discussion.status.in_(STATES[wanted.state]))
    return chosen


def _users_named(name: str) -> Select[int]:
    return select(User.id).join(User.namespace).where(Namespace.path_key == fold_name(name))


def _check_labels(names: Sequence[str]) -> list[str]:
    if len(names) > _MAX_LABELS:
        raise Invalid(f"Name at most {_MAX_LABELS} labels.", code="REQ-ERR-6", query="label")
    return [fold_name(check_line(name, what="label", most=MAX_SEARCH_CHARS)) for name in names]


def _carries(repository_id: int, key: str) -> ColumnElement[bool]:
    carried = select(LabelledDiscussion.discussion_id).join(
        DiscussionLabel, DiscussionLabel.id == LabelledDiscussion.label_id
    )
    return Discussion.id.in_(
        carried.where(DiscussionLabel.repository_id == repository_id, DiscussionLabel.name_key == key)
    )


def _words_of(text: str) -> list[str]:
    return check_line(text, what="q", most=MAX_SEARCH_CHARS).lower().split()[:_MAX_WORDS]


def _find_ids(work: UnitOfWork, where: Sequence[ColumnElement[bool]], words: Sequence[str]) -> list[int]:
    """Those that have the words in the title, or in one comment of those that are looked at. Two queries."""
    patterns = [f"%{literal_pattern(word)}%" for word in words]
    title = func.lower(Discussion.title)
    query = select(Discussion.id).where(*where).order_by(Discussion.id.desc()).limit(MAX_SEARCHED)
    titled = query.where(*(title.like(each, escape="\\") for each in patterns))
    newest = query.subquery()
    comments = (
        select(Comment.discussion_id, func.lower(func.substr(Comment.content, 1, _SEARCHED_CHARS)).label("content"))
        .where(Comment.discussion_id.in_(select(newest.c.id)), Comment.hidden_at.is_(None))
        .limit(MAX_SEARCHED_COMMENTS)
        .subquery()
    )
    said = select(comments.c.discussion_id).where(*(comments.c.content.like(each, escape="\\") for each in patterns))
    found: set[int] = set()
    for each in (titled, said.distinct()):
        found.update(work.session.scalars(each.execution_options(**{PLANNED_EACH_TIME: True})))
    return sorted(found)
