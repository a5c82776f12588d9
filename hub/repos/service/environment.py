"""What a space is run with: its variables, which whoever may read it sees, and its secrets, which nobody sees again.

They lie where the REST API keeps them, in the members "variables" and "secrets", each a JSON object as a text, the
secrets sealed. What is noted of them (a description, the time of the last change) lies beside, for both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork
from hub.repos.details import check_details, open_details, seal_details
from hub.repos.kinds import get_kind
from hub.repos.lookup import get_for
from hub.repos.models import Repository
from hub.repos.service.changes import get_locked, note_update

VARIABLES = "variables"
SECRETS = "secrets"
# As much as fits into the environment of a program; all values together have the member's limit of 16 KiB.
MAX_ENTRIES = 100
MAX_DESCRIPTION_CHARS = 255
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
# Not the name of any kind's member: it is written and shown by this module alone.
_NOTES = "_notes"

Entries = dict[str, str]


@dataclass(frozen=True)
class Entry:
    """A variable or secret. value: None for a secret; updated_at: None where nobody noted it."""

    value: str | None
    description: str
    updated_at: datetime | None


def list_entries(work: UnitOfWork, *, actor: Actor, repository_id: int, member: str) -> dict[str, Entry]:
    """The variables, for whoever may read the space, or the secrets without their values, for who administers it.

    member: ``VARIABLES`` or ``SECRETS``. Raises NotFound (``not_a_space`` for what has no such member), NotSignedIn,
    Denied.
    """
    action = Action.REPOSITORY_ADMIN if member == SECRETS else Action.REPOSITORY_READ
    repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
    return _entries(work, repository, member)


def set_entry(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    member: str,
    key: str,
    value: str,
    description: str | None = None,
) -> dict[str, Entry]:
    """Give a variable or secret a value; all there are now. description: None leaves it as it is.

    Variables are for who may write, secrets for who administers. Raises NotFound (``not_a_space``), NotSignedIn,
    Denied; Invalid (``REQ-ERR-6``) for a key that is no name of an environment variable, or more than there is room.
    """
    repository = _lock(work, actor, repository_id, member)
    values = _read(work, repository, member) | _checked([{"key": key, "value": value}])
    notes = _notes_of(repository, member)
    note = notes.get(key, {}) | {"at": work.now().timestamp()} | _described(description)
    return _write(work, actor, repository, member, values, notes | {key: note})


def remove_entry(work: UnitOfWork, *, actor: Actor, repository_id: int, member: str, key: str) -> dict[str, Entry]:
    """Forget a variable or secret, harmless where there is none; all there are now. Raises as ``set_entry``."""
    repository = _lock(work, actor, repository_id, member)
    values, notes = _read(work, repository, member), _notes_of(repository, member)
    if values.pop(key, None) is None:
        return _entries(work, repository, member)
    return _write(work, actor, repository, member, values, {name: notes[name] for name in notes if name != key})


def details_of(**given: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """Members for the making of a space: ``variables`` and ``secrets``, each a list of ``{"key", "value"}``.

    Raises Invalid (``REQ-ERR-6``).
    """
    return {member: json.dumps(_checked(entries)) for member, entries in given.items() if entries}


def notes_for(
    context: Context, **given: Sequence[Mapping[str, Any]] | None
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """What is noted of the entries of a space in the making: their descriptions, and that they are of now.

    given: as in ``details_of``, with ``"description"``, which may be None. Raises Invalid (``REQ-ERR-6``).
    """
    at = context.clock.now().timestamp()
    return {
        _NOTES: {
            member: {entry["key"]: {"at": at, **_described(entry.get("description"))} for entry in entries}
            for member, entries in given.items()
            if entries
        }
    }


def _described(description: str | None) -> dict[str, str]:
    """The description in a note; None: nothing is said of it. Raises Invalid (``REQ-ERR-6``)."""
    if description is None:
        return {}
    if len(description) > MAX_DESCRIPTION_CHARS or not is_storable(description):
        raise _refusal("description", f"is a text of at most {MAX_DESCRIPTION_CHARS} characters")
    return {"text": description}


def _lock(work: UnitOfWork, actor: Actor, repository_id: int, member: str) -> Repository:
    action = Action.REPOSITORY_ADMIN if member == SECRETS else Action.REPOSITORY_WRITE
    return get_locked(work, actor, action, repository_id)


def _entries(work: UnitOfWork, repository: Repository, member: str) -> dict[str, Entry]:
    values, notes = _read(work, repository, member), _notes_of(repository, member)

    def entry(key: str, value: str) -> Entry:
        note = notes.get(key, {})
        at = datetime.fromtimestamp(note["at"], tz=work.now().tzinfo) if "at" in note else None
        return Entry(None if member == SECRETS else value, note.get("text", ""), at)

    return {key: entry(key, value) for key, value in sorted(values.items())}


def _read(work: UnitOfWork, repository: Repository, member: str) -> Entries:
    """What is stored; the REST API takes any JSON object, so that a value may be no text."""
    fields = [field for field in get_kind(work.context, repository.kind).details if field.name == member]
    if not fields:
        raise NotFound(f"A {repository.kind} has no {member}.", code="not_a_space")
    stored = open_details(work.context, fields, repository.details, with_secrets=True)[member]
    found = json.loads(str(stored)) if stored else {}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def _write(
    work: UnitOfWork, actor: Actor, repository: Repository, member: str, values: Entries, notes: Mapping[str, Any]
) -> dict[str, Entry]:
    if len(values) > MAX_ENTRIES:
        raise _refusal(member, f"has more than {MAX_ENTRIES} entries")
    fields = get_kind(work.context, repository.kind).details
    checked = check_details(fields, {member: json.dumps(values) if values else ""})
    all_notes = repository.details.get(_NOTES, {}) | {member: dict(notes)}
    sealed = seal_details(work.context, fields, checked)
    repository.details = repository.details | sealed | {_NOTES: all_notes}
    note_update(work, actor, repository, member)
    work.session.flush()
    return _entries(work, repository, member)


def _notes_of(repository: Repository, member: str) -> dict[str, Any]:
    found: dict[str, Any] = repository.details.get(_NOTES, {}).get(member, {})
    return found


def _checked(entries: Sequence[Mapping[str, Any]]) -> Entries:
    if len(entries) > MAX_ENTRIES:
        raise _refusal("key", f"stands for one of more than {MAX_ENTRIES} entries")
    for entry in entries:
        if not _KEY.match(entry["key"]):
            raise _refusal("key", "must be a word of at most 128 letters, digits and '_' that begins with no digit")
        if not is_storable(entry["value"]):
            raise _refusal("value", "holds a character that cannot be stored")
    return {entry["key"]: entry["value"] for entry in entries}


def _refusal(member: str, reason: str) -> Invalid:
    return Invalid(f"'{member}' {reason}.", code="REQ-ERR-6", member=member)
