"""What can be done with notes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select

from hub.plugin import Actor, Context, licensing
from hub.plugin.db import Page, PageArgs, UnitOfWork, reading
from hub.plugin.errors import Invalid
from hub.plugin.events import publish
from hub.plugin.policy import require
from hub.plugin.repos import Repository
from hub.plugin.settings import settings_of
from hub_sample.events import NoteWritten
from hub_sample.models import Note
from hub_sample.plugin import SamplePlugin, SampleSettings

MAX_CHARS = 200


def write_note(work: UnitOfWork, *, actor: Actor, repository: Repository, text: str, is_pinned: bool = False) -> Note:
    """A new note. Raises FeatureLocked, NotFound, NotSignedIn, Denied, Invalid."""
    licensing.require(work.context, SamplePlugin.feature or "")
    require(work, actor, "sample:note:write", repository)
    if not 0 < len(text.strip()) <= MAX_CHARS:
        raise Invalid(f"A note has 1 to {MAX_CHARS} characters.")
    note = add_note(work, repository_id=repository.id, text=text.strip(), is_pinned=is_pinned)
    publish(work, NoteWritten(repository.id, note.text, actor.user_id))
    return note


def add_note(work: UnitOfWork, *, repository_id: int, text: str, is_pinned: bool = False) -> Note:
    """A note that the hub itself writes."""
    note = Note(repository_id=repository_id, text=text, is_pinned=is_pinned, created_at=work.now())
    work.session.add(note)
    work.session.flush()
    return note


def list_notes(work: UnitOfWork, *, actor: Actor, repository: Repository, page: PageArgs) -> Page[Note]:
    """The notes on a repository, newest first. Raises NotFound."""
    require(work, actor, "sample:note:read", repository)
    query = select(Note).where(Note.repository_id == repository.id)
    total = work.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return Page(work.session.scalars(query.order_by(Note.id.desc()).offset(page.offset).limit(page.per)).all(), total)


def expire_notes(work: UnitOfWork) -> int:
    """Forget the notes whose time is over; how many they were."""
    oldest = work.now() - timedelta(seconds=settings_of(work.context, SampleSettings).keep_s)
    ids = work.session.scalars(select(Note.id).where(Note.created_at < oldest).limit(500)).all()
    work.session.execute(delete(Note).where(Note.id.in_(ids)))
    return len(ids)


class NoteCounter:
    """What other plugins find under the name "notes"."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def count(self) -> int:
        """How many notes are kept."""
        with reading(self._context) as work:
            return work.session.scalar(select(func.count()).select_from(Note)) or 0
