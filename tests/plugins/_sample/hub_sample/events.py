"""What the plugin tells the others, always after the commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoteWritten:
    """Somebody wrote a note on a repository."""

    repository_id: int
    text: str
    actor_id: int | None
