"""Labels: which repositories carry which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select

from hub.assets.models import RepositoryTag, Tag
from hub.db.uow import UnitOfWork


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
