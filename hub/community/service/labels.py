"""Labels: the words by which a repository sorts its issues and pull requests.

Whoever may write to the repository makes them and puts them on; who opens an issue may put some on in doing so. A
repository begins with ``DEFAULTS``: they are offered until it is said what it has, and made when one is first used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.policy import Action, Actor, require
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.paging import MAX_PER, PageArgs
from hub.community.models import Discussion, DiscussionEventType
from hub.community.models_people import DiscussionLabel, DiscussionSettings, LabelledDiscussion
from hub.community.service.discussions import OPEN, count_of, get_discussion, record
from hub.community.service.switches import keep_settings
from hub.community.service.texts import check_line
from hub.db.insert import insert_new, insert_new_keys
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_for, get_readable
from hub.repos.searching import literal_pattern

log = get_logger(__name__)

MAX_NAME_CHARS = 64  # the columns' widths
MAX_DESCRIPTION_CHARS = 255
MAX_LABELS = 10_000  # of a repository
MAX_EACH = 20  # on one discussion

_COLOR = re.compile(r"#[0-9a-f]{6}\Z")


@dataclass(frozen=True)
class Offered:
    """A label that a repository can have for the asking."""

    name: str
    color: str
    description: str


DEFAULTS = (
    Offered("bug", "#d73a4a", "Something does not work"),
    Offered("documentation", "#0075ca", "Improvements or additions to documentation"),
    Offered("duplicate", "#cfd3d7", "This is there already"),
    Offered("enhancement", "#a2eeef", "New feature or request"),
    Offered("good first issue", "#7057ff", "Good for newcomers"),
    Offered("invalid", "#e4e669", "This does not seem right"),
    Offered("question", "#d876e3", "More information is asked for"),
    Offered("wontfix", "#ffffff", "This will not be worked on"),
)


@dataclass(frozen=True)
class Labels:
    """A repository's labels by name, or those that it is offered; open_counts: open discussions with each, by id.

    total: how many there are by the same words.
    """

    items: Sequence[DiscussionLabel | Offered]
    open_counts: dict[int, int]
    total: int


def list_labels(
    work: UnitOfWork, *, actor: Actor, repository_id: int, words: str = "", page: PageArgs | None = None
) -> Labels:
    """A page of the labels of a repository. words: all in the name. Raises NotFound; Invalid (``REQ-ERR-6``)."""
    page = page or PageArgs(per=MAX_PER)
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    wanted = check_line(words, what="q", most=MAX_NAME_CHARS).lower().split()
    where = [DiscussionLabel.repository_id == repository.id]
    where += [DiscussionLabel.name_key.like(f"%{literal_pattern(word)}%", escape="\\") for word in wanted]
    rows = work.session.scalars(
        select(DiscussionLabel).where(*where).order_by(DiscussionLabel.name_key).offset(page.offset).limit(page.per)
    ).all()
    total = page.offset + len(rows)
    if len(rows) == page.per or (not rows and page.page > 1):
        total = work.session.scalar(select(func.count(DiscussionLabel.id)).where(*where)) or 0
    if not rows:
        offered = () if total or _has_labels(work, repository.id) else DEFAULTS
        found = [label for label in offered if all(word in fold_name(label.name) for word in wanted)]
        return Labels(found[page.offset : page.offset + page.per], {}, total or len(found))
    counts = work.session.execute(
        select(LabelledDiscussion.label_id, func.count())
        .join(Discussion, Discussion.id == LabelledDiscussion.discussion_id)
        .where(LabelledDiscussion.label_id.in_([row.id for row in rows]), Discussion.status.in_(OPEN))
        .group_by(LabelledDiscussion.label_id)
    )
    return Labels(rows, dict(counts.all()), total)


def _has_labels(work: UnitOfWork, repository_id: int) -> bool:
    said = select(DiscussionSettings.has_labels).where(DiscussionSettings.repository_id == repository_id)
    return bool(work.session.scalar(said))


def _take_defaults(work: UnitOfWork, repository_id: int) -> None:
    """Make the labels that were offered, once. Who does so at the same moment waits, and finds them there."""
    if _has_labels(work, repository_id):
        return
    keep_settings(work, repository_id)
    first = update(DiscussionSettings).where(
        DiscussionSettings.repository_id == repository_id, DiscussionSettings.has_labels.is_(False)
    )
    if count_of(work, first.values(has_labels=True)):
        now = work.now()
        rows = [
            {
                "repository_id": repository_id,
                "name": label.name,
                "name_key": fold_name(label.name),
                "color": label.color,
                "description": label.description,
                "created_at": now,
            }
            for label in DEFAULTS
        ]
        insert_new(work.session, DiscussionLabel, rows)


def create_label(
    work: UnitOfWork, *, actor: Actor, repository_id: int, name: str, color: str, description: str = ""
) -> DiscussionLabel:
    """A new label, beside those that every repository begins with. For who may write to the repository.

    Raises Invalid (``REQ-ERR-6``), Conflict (``label_exists``, ``too_many_labels``), NotFound, NotSignedIn, Denied.
    """
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    label = DiscussionLabel(
        repository_id=repository.id,
        name=(checked := _check_name(name)),
        name_key=fold_name(checked),
        color=_check_color(color),
        description=check_line(description, what="description", most=MAX_DESCRIPTION_CHARS),
        created_at=work.now(),
    )
    _take_defaults(work, repository.id)
    own = select(func.count(DiscussionLabel.id)).where(DiscussionLabel.repository_id == repository.id)
    if (work.session.scalar(own) or 0) >= MAX_LABELS:
        raise Conflict(f"A repository has at most {MAX_LABELS} labels.", code="too_many_labels")
    try:
        with work.savepoint():
            work.session.add(label)
            work.session.flush()
    except IntegrityError:
        raise _exists() from None
    log.info("discussion_label_created", label_id=label.id, repository_id=repository.id, actor_id=actor.user_id)
    return label


def update_label(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    label_id: int,
    name: str | None = None,
    color: str | None = None,
    description: str | None = None,
) -> DiscussionLabel:
    """The label with what is named changed. Raises as ``create_label``; NotFound (``label_not_found``)."""
    label = _get_label(work, actor, repository_id, label_id)
    values: dict[str, str] = {}
    if name is not None:
        values["name"] = _check_name(name)
        values["name_key"] = fold_name(values["name"])
    if color is not None:
        values["color"] = _check_color(color)
    if description is not None:
        values["description"] = check_line(description, what="description", most=MAX_DESCRIPTION_CHARS)
    if not values:
        return label
    try:
        with work.savepoint():
            changed = count_of(work, update(DiscussionLabel).where(DiscussionLabel.id == label.id).values(**values))
    except IntegrityError:
        raise _exists() from None
    if not changed:
        raise _no_label()
    work.session.refresh(label)
    return label


def delete_label(work: UnitOfWork, *, actor: Actor, repository_id: int, label_id: int) -> None:
    """Remove a label, also from all that carries it. Raises as ``update_label``."""
    label = _get_label(work, actor, repository_id, label_id)
    if not count_of(work, delete(DiscussionLabel).where(DiscussionLabel.id == label.id)):
        raise _no_label()
    log.info("discussion_label_deleted", label_id=label_id, repository_id=repository_id, actor_id=actor.user_id)


def _get_label(work: UnitOfWork, actor: Actor, repository_id: int, label_id: int) -> DiscussionLabel:
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    found: DiscussionLabel | None = work.session.scalar(
        select(DiscussionLabel).where(DiscussionLabel.id == label_id, DiscussionLabel.repository_id == repository.id)
    )
    if found is None:
        raise _no_label()
    return found


def require_labels(work: UnitOfWork, repository_id: int, names: Iterable[str]) -> None:
    """Return when a repository has labels of those names, or is offered them. Raises as ``find_labels``."""
    keys = _keys_of(names)
    if not keys:
        return
    own = select(DiscussionLabel.name_key).where(DiscussionLabel.repository_id == repository_id)
    known = {*work.session.scalars(own.where(DiscussionLabel.name_key.in_(keys)))}
    if not _has_labels(work, repository_id):
        known |= {fold_name(label.name) for label in DEFAULTS}
    for key in keys:
        if key not in known:
            raise _unknown(key)


def _keys_of(names: Iterable[str]) -> list[str]:
    keys = list(dict.fromkeys(fold_name(check_line(name, what="labels", most=MAX_NAME_CHARS)) for name in names))
    if len(keys) > MAX_EACH:
        raise Invalid(f"Name at most {MAX_EACH} labels.", code="REQ-ERR-6", member="labels")
    return keys


def find_labels(work: UnitOfWork, repository_id: int, names: Iterable[str]) -> list[DiscussionLabel]:
    """A repository's labels of those names, in any case; what it was offered is made by that.

    Raises NotFound (``label_not_found``), Invalid (``REQ-ERR-6``) for more than ``MAX_EACH``.
    """
    keys = _keys_of(names)
    if not keys:
        return []
    _take_defaults(work, repository_id)
    rows = work.session.scalars(
        select(DiscussionLabel).where(
            DiscussionLabel.repository_id == repository_id, DiscussionLabel.name_key.in_(keys)
        )
    )
    found = {row.name_key: row for row in rows}
    for key in keys:
        if key not in found:
            raise _unknown(key)
    return [found[key] for key in keys]


def put_on(work: UnitOfWork, *, actor: Actor, discussion_id: int, names: Sequence[str]) -> list[DiscussionLabel]:
    """Put labels on a discussion; what it carries by then, by name. For who may write to the repository.

    May be repeated. Raises NotFound, NotSignedIn, Denied; Invalid (``REQ-ERR-6``), Conflict (``too_many_labels``).
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require(work, actor, Action.REPOSITORY_WRITE, discussion.repository)
    add_labels(work, discussion, find_labels(work, discussion.repository_id, names), user_id=actor.user_id)
    return labels_of(work, [discussion.id])[discussion.id]


def add_labels(
    work: UnitOfWork, discussion: Discussion, labels: Sequence[DiscussionLabel], *, user_id: int | None
) -> None:
    """Put labels of its repository on a discussion; rights were judged. Raises Conflict (``too_many_labels``)."""
    rows = [{"discussion_id": discussion.id, "label_id": label.id} for label in labels]
    added = {key.label_id for key in insert_new_keys(work.session, LabelledDiscussion, rows)}
    if not added:
        return
    carried = select(func.count()).where(LabelledDiscussion.discussion_id == discussion.id)
    if (work.session.scalar(carried) or 0) > MAX_EACH:
        raise Conflict(f"A discussion carries at most {MAX_EACH} labels.", code="too_many_labels")
    data = _told([label for label in labels if label.id in added])
    record(work, discussion, DiscussionEventType.LABELLED, data, user_id=user_id)


def take_off(work: UnitOfWork, *, actor: Actor, discussion_id: int, names: Sequence[str]) -> list[DiscussionLabel]:
    """Take labels off a discussion; what it carries by then. May be repeated. Raises as ``put_on``."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require(work, actor, Action.REPOSITORY_WRITE, discussion.repository)
    gone = []
    for label in find_labels(work, discussion.repository_id, names):
        row = delete(LabelledDiscussion).where(
            LabelledDiscussion.discussion_id == discussion.id, LabelledDiscussion.label_id == label.id
        )
        if count_of(work, row):
            gone.append(label)
    if gone:
        record(work, discussion, DiscussionEventType.UNLABELLED, _told(gone), user_id=actor.user_id)
    return labels_of(work, [discussion.id])[discussion.id]


def labels_of(work: UnitOfWork, discussion_ids: Sequence[int]) -> dict[int, list[DiscussionLabel]]:
    """What discussions carry, by their ids, each by name. One query."""
    found: dict[int, list[DiscussionLabel]] = defaultdict(list)
    if discussion_ids:
        rows = work.session.execute(
            select(LabelledDiscussion.discussion_id, DiscussionLabel)
            .join(DiscussionLabel, DiscussionLabel.id == LabelledDiscussion.label_id)
            .where(LabelledDiscussion.discussion_id.in_(discussion_ids))
            .order_by(DiscussionLabel.name_key)
        )
        for discussion_id, label in rows:
            found[discussion_id].append(label)
    return found


def keys_on(work: UnitOfWork, *, repository_id: int, number: int) -> set[str]:
    """The folded names of what a discussion of a repository carries; nothing where there is none. One query."""
    return set(
        work.session.scalars(
            select(DiscussionLabel.name_key)
            .join(LabelledDiscussion, LabelledDiscussion.label_id == DiscussionLabel.id)
            .join(Discussion, Discussion.id == LabelledDiscussion.discussion_id)
            .where(Discussion.repository_id == repository_id, Discussion.number == number)
        )
    )


def _told(labels: Sequence[DiscussionLabel]) -> dict[str, list[dict[str, str]]]:
    # As they were: a label of the past may have gone since.
    return {"labels": [{"name": label.name, "color": label.color} for label in labels]}


def _check_name(name: str) -> str:
    name = check_line(name, what="name", most=MAX_NAME_CHARS)
    if not name:
        raise Invalid("'name' is empty.", code="REQ-ERR-6", member="name")
    return name


def _check_color(color: str) -> str:
    if not _COLOR.match(color := color.strip().lower()):
        raise Invalid("'color' must be written like #d73a4a.", code="REQ-ERR-6", member="color")
    return color


def _exists() -> Conflict:
    return Conflict("The repository has a label of that name.", code="label_exists")


def _unknown(key: str) -> NotFound:
    return NotFound(f"This repository has no label {key!r}.", code="label_not_found")


def _no_label() -> NotFound:
    return NotFound("This repository has no such label.", code="label_not_found")
