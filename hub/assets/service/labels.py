"""Labels: which repositories carry which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, false, or_, select

from hub.assets.models import RepositoryTag, Tag
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository

# Of one question; each is one more table to join.
MAX_LABELS_ASKED = 20


def labels_of(work: UnitOfWork, repository_ids: Sequence[int]) -> dict[int, list[Tag]]:
    """For each repository its labels, by category and name. One query; repositories without labels are absent."""
    found: dict[int, list[Tag]] = defaultdict(list)
    if repository_ids:
        rows = work.session.execute(
            select(RepositoryTag.repository_id, Tag)
            .join(Tag, Tag.id == RepositoryTag.tag_id)
            .where(RepositoryTag.repository_id.in_(repository_ids))
            .order_by(Tag.category, Tag.name)
        )
        for repository_id, tag in rows:
            found[repository_id].append(tag)
    return dict(found)


def with_labels(work: UnitOfWork, *, scope: str, labels: Sequence[tuple[str, str, str]]) -> list[ColumnElement[bool]]:
    """Conditions on ``Repository``: that it carries each of the labels, in any case of letters.

    scope: the kind of asset. labels: (category, name, group) each, the group empty for any. A label that is not known
    gives a condition that nothing meets. One query, for the labels' ids: with them the database's statistics say how
    many repositories each has. Raises Invalid (``REQ-ERR-6``) for more than ``MAX_LABELS_ASKED``.
    """
    wanted = list(dict.fromkeys((category.lower(), name.lower(), group.lower()) for category, name, group in labels))
    if not wanted:
        return []
    if len(wanted) > MAX_LABELS_ASKED:
        raise Invalid(f"More than {MAX_LABELS_ASKED} labels at once.", code="REQ-ERR-6", query="tag_name")
    named = or_(*(and_(Tag.category == category, Tag.name == name) for category, name, _group in wanted))
    rows = work.session.execute(select(Tag.category, Tag.name, Tag.group, Tag.id).where(Tag.scope == scope, named))
    known = {(category, name): (group.lower(), id) for category, name, group, id in rows}
    conditions: list[ColumnElement[bool]] = []
    for category, name, group in wanted:
        found = known.get((category, name))
        if found is None or group not in ("", found[0]):
            return [false()]
        carrying = select(RepositoryTag.repository_id).where(RepositoryTag.tag_id == found[1])
        conditions.append(Repository.id.in_(carrying))
    return conditions
