"""What the plugin refuses."""

from __future__ import annotations

from sqlalchemy import select

from hub.plugin import Actor
from hub.plugin.db import UnitOfWork
from hub.plugin.errors import Conflict, Denied
from hub.plugin.repos import IncomingPush, Repository
from hub.plugin.settings import settings_of
from hub_sample.models import Note
from hub_sample.plugin import SampleSettings


def refuse_secret_word(push: IncomingPush) -> None:
    """No branch is named by the secret word. Raises Denied."""
    word = settings_of(push.context, SampleSettings).secret_word
    if word and any(word in change.ref for change in push.changes):
        raise Denied("The name of a branch holds a word that must not be said.", code="sample_secret_word")


def refuse_pinned(work: UnitOfWork, repository: Repository, actor: Actor) -> None:
    """No repository with a pinned note is deleted. Raises Conflict."""
    if work.session.scalar(select(Note.id).where(Note.repository_id == repository.id, Note.is_pinned).limit(1)):
        raise Conflict("A note is pinned to this repository; it cannot be deleted.", code="sample_pinned")
