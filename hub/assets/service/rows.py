"""What the chapters of this room ask of rows of repositories."""

from __future__ import annotations

from sqlalchemy import select

from hub.db.uow import UnitOfWork
from hub.repos.models import Repository


def hold(work: UnitOfWork, repository: Repository) -> bool:
    """Let others who are about to change what is said of this repository wait until this is committed.

    Returns whether it is private, which stays so until then. Two who replace the same rows at once could each wait for
    the other. Changes of the repository's own row wait, too.
    """
    row = select(Repository.is_private).where(Repository.id == repository.id)
    return bool(work.session.scalar(row.with_for_update(key_share=True)))
