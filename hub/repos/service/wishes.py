"""What a space is wished to be run on, for whatever comes to run it: kept with the space, and no promise.

It lies beside the members of the kind, under a name that none of them has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hub.accounts.policy import Action, Actor
from hub.base.errors import Invalid, NotFound
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository
from hub.repos.service.changes import get_locked, note_update

_WISHES = "_wishes"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
# A year; -1 is "never sleep", as clients say it.
MAX_SLEEP_S = 366 * 86_400


@dataclass(frozen=True)
class Wishes:
    """What was asked for; "" and None: nothing was. sleep_s: after how long without a visit it may sleep, -1: never."""

    flavor: str = ""
    sleep_s: int | None = None
    storage: str = ""

    def __post_init__(self) -> None:
        for member, word in (("flavor", self.flavor), ("storage", self.storage)):
            if word and not _WORD.match(word):
                raise Invalid(f"'{member}' is a word of at most 64 letters, digits, '.', '_' and '-'.", member=member)
        if self.sleep_s is not None and not -1 <= self.sleep_s <= MAX_SLEEP_S:
            raise Invalid(f"'seconds' is -1 for never, or at most {MAX_SLEEP_S}.", member="seconds")


def find_wishes(repository: Repository) -> Wishes:
    """What the space is wished to be run on."""
    return Wishes(**repository.details.get(_WISHES, {}))


def notes_of(wishes: Wishes) -> Mapping[str, Any]:
    """The wishes as notes of a space in the making; none where nothing is wished."""
    return {_WISHES: asdict(wishes)} if wishes != Wishes() else {}


def set_wishes(work: UnitOfWork, *, actor: Actor, repository_id: int, **changed: Any) -> Repository:
    """Change some of the wishes, by the names of ``Wishes``; the space.

    Raises NotFound (``not_a_space``), NotSignedIn, Denied, Invalid.
    """
    repository = get_locked(work, actor, Action.REPOSITORY_WRITE, repository_id)
    if repository.kind != "space":
        raise NotFound(f"A {repository.kind} is not run.", code="not_a_space")
    wishes = replace(find_wishes(repository), **changed)
    repository.details = repository.details | {_WISHES: asdict(wishes)}
    note_update(work, actor, repository, "hardware")
    return repository
