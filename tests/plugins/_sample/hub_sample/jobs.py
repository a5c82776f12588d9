"""Jobs and listeners: each a few lines around the service."""

from __future__ import annotations

from collections.abc import Sequence

from hub.plugin import Context, get_logger
from hub.plugin.db import UnitOfWork, unit_of_work
from hub.plugin.events import RepositoryCreated, RepositoryMoved
from hub.plugin.indexing import IndexRun
from hub.plugin.jobs import JobRun
from hub.plugin.metering import Usage
from hub_sample import service

log = get_logger(__name__)


def expire_notes(run: JobRun) -> None:
    """Forget the notes whose time is over."""
    with unit_of_work(run.context) as work:
        count = service.expire_notes(work)
    run.log(f"Forgot {count} notes.")


def note_creation(context: Context, event: RepositoryCreated) -> None:
    """Write the first note on a new repository."""
    with unit_of_work(context) as work:
        service.add_note(work, repository_id=event.repository_id, text="This repository was created.")


def note_move(work: UnitOfWork, event: RepositoryMoved) -> None:
    """Write down, together with the move, what a repository was called before."""
    service.add_note(work, repository_id=event.repository_id, text=f"It was {event.old_path}."[: service.MAX_CHARS])


def read_notes(run: IndexRun) -> None:
    """Keep the first line of the repository's file of notes as a note."""
    found = run.read("NOTES.txt", limit_bytes=4096) or b""
    text = found.decode("utf-8", "replace").replace("\0", "").strip().partition("\n")[0]
    with unit_of_work(run.context) as work:
        if text:
            service.add_note(work, repository_id=run.repository.id, text=text[: service.MAX_CHARS])
        run.finish(work)


def read_usage(_work: UnitOfWork, usages: Sequence[Usage]) -> None:
    """Hear of what was used; a reader that keeps something writes it in this transaction."""
    log.info("usage_read", events=len(usages), quantity=sum(usage.quantity for usage in usages))
