"""Words: the labels that people's and cards' saying so brings into the catalogue.

One is there as long as a repository carries it, and everybody sees it once a public one does: what somebody calls a
private repository must not be told by the catalogue. Whether one is seen is noted with the word, so that reading the
catalogue looks at no repositories.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, select, update

from hub.assets.models import RepositoryTag, Tag, TagState
from hub.base.context import Context
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.lookup import is_live
from hub.repos.models import Repository

# Of one transaction.
BATCH = 2_000

_IS_CARRIED = exists().where(RepositoryTag.tag_id == Tag.id)


def is_seen_by_all() -> ColumnElement[bool]:
    """The condition on ``Tag`` that everybody sees it in the catalogue."""
    # Its word stands in the statement, so that the index of these labels may answer.
    return Tag.state != bindparam(None, TagState.UNSEEN, Tag.state.type, literal_execute=True)


def judge_words_of(work: UnitOfWork, repository_id: int) -> None:
    """As ``judge_words``, for the words that a repository carries."""
    carried = select(RepositoryTag.tag_id).join(Tag, Tag.id == RepositoryTag.tag_id)
    ids = carried.where(RepositoryTag.repository_id == repository_id, Tag.state != TagState.KEPT)
    judge_words(work, work.session.scalars(ids).all())


def judge_words(work: UnitOfWork, ids: Collection[int]) -> None:
    """Let those of these labels that are words be shown when a public repository carries them, and hidden when none.

    Of two whose last public repositories go at once, each may still see the other's: ``sweep_words`` sets that right.
    """
    if not ids:
        return
    is_public = exists().where(
        RepositoryTag.tag_id == Tag.id,
        Repository.id == RepositoryTag.repository_id,
        Repository.is_private.is_(False),
        is_live(),
    )
    for old, new, condition in (
        (TagState.UNSEEN, TagState.SHOWN, is_public),
        (TagState.SHOWN, TagState.UNSEEN, ~is_public),
    ):
        wrong = select(Tag.id).where(Tag.id.in_(ids), Tag.state == old, condition).order_by(Tag.id)
        # Held in one order: two who have words in common wait one for the other and not each for each.
        if found := work.session.scalars(wrong.with_for_update(key_share=True)).all():
            _execute(work, update(Tag).where(Tag.id.in_(found)).values(state=new))


def drop_words(work: UnitOfWork, ids: Collection[int]) -> int:
    """Remove those of these labels that are words and that no repository carries; returns how many went."""
    if not ids:
        return 0
    idle = select(Tag.id).where(Tag.id.in_(ids), Tag.state != TagState.KEPT, ~_IS_CARRIED)
    # Passed over where somebody holds it to put it on; whoever comes later waits.
    found = work.session.scalars(idle.order_by(Tag.id).with_for_update(skip_locked=True)).all()
    if not found:
        return 0
    # Asked once more, now that nobody can put it on: somebody may have between the look and the lock.
    return len(_execute(work, delete(Tag).where(Tag.id.in_(found), ~_IS_CARRIED).returning(Tag.id)).all())


def sweep_words(context: Context, *, after_batch: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Judge all words, and remove those that no repository carries any more; returns how many went.

    after_batch: told up to which of how many labels it has come (by id); may raise to stop.
    """
    with reading(context) as work:
        last = work.session.scalar(select(func.max(Tag.id))) or 0
    count = 0
    for start in range(1, last + 1, BATCH):
        end = min(start + BATCH - 1, last)
        with unit_of_work(context) as work:
            words = select(Tag.id).where(Tag.id.between(start, end), Tag.state != TagState.KEPT)
            ids = work.session.scalars(words).all()
            count += drop_words(work, ids)
            judge_words(work, ids)
        after_batch(end, last)
    return count


def _execute(work: UnitOfWork, statement: Any) -> Any:
    return work.session.execute(statement.execution_options(synchronize_session=False))
