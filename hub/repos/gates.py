"""Gated repositories: everybody who may read one sees that it is there and what is in it, but its content, the bytes
of its files and what they say, goes only to those who may write to it and to those whose request was accepted.

Source: Hugging Face contract, sections 1.6 and 11.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from sqlalchemy import select

from hub.accounts.models import Role
from hub.accounts.policy import Actor, Resource, role_on
from hub.base.context import Context
from hub.base.errors import Denied, NotSignedIn
from hub.db.uow import UnitOfWork, reading
from hub.repos.models import GateRequest, RequestState


class Gate(StrEnum):
    """How access is given. ``OPEN``: no gate. ``AUTO``: asking is enough. ``MANUAL``: somebody decides."""

    OPEN = ""
    AUTO = "auto"
    MANUAL = "manual"


class Gated(Resource, Protocol):
    """What must be known of a repository to judge who gets its content."""

    @property
    def gate(self) -> str: ...


def may_read_content(work: UnitOfWork, actor: Actor, repository: Gated) -> bool:
    """Whether an actor who may read the repository gets its content, too.

    No query where there is no gate, two at most where there is one. What the credential allows and whether the
    repository is archived make no difference: they limit writing.
    """
    if not repository.gate or actor.is_system or actor.is_admin:
        return True
    if actor.limit is not None:
        # Whoever made the token may write here.
        return role_on(work, actor, repository) is not None
    if actor.user_id is None:
        return False
    role = role_on(work, actor, repository)
    if role is not None and role.rank >= Role.WRITE.rank:
        return True
    return _state_of(work, actor.user_id, repository.id) == RequestState.ACCEPTED


def require_content(work: UnitOfWork, actor: Actor, repository: Gated) -> None:
    """Return when the actor gets the repository's content; to be called by whatever gives bytes of files away.

    The actor may read the repository: that was judged by whoever looked it up. Every way to content asks this: the
    files and archives of all APIs, git's upload-pack, LFS, and the tickets of further ways such as Xet's read tokens.
    repository: a row, a ``RepositoryRow`` or a ``RepositoryPlace``.
    Raises NotSignedIn for an anonymous actor and Denied for any other, both with the code ``gated_repository``.
    """
    if may_read_content(work, actor, repository):
        return
    if actor.is_anonymous and actor.limit is None:
        raise NotSignedIn(
            "Access to this repository is given on request: sign in, or send an access token, and ask for it.",
            code="gated_repository",
        )
    state = _state_of(work, actor.user_id, repository.id) if actor.user_id is not None else None
    raise Denied(_REFUSALS[state], code="gated_repository")


_REFUSALS = {
    None: "Access to this repository is given on request: ask for it on the repository's page first.",
    RequestState.PENDING: "Your request for access to this repository is not decided yet.",
    RequestState.REJECTED: "Your request for access to this repository was rejected.",
}


def check_content(context: Context, actor: Actor, repository: Gated) -> None:
    """As ``require_content``, outside of a unit of work; the database is asked only where there is a gate."""
    if repository.gate:
        with reading(context) as work:
            require_content(work, actor, repository)


def _state_of(work: UnitOfWork, user_id: int, repository_id: int) -> RequestState | None:
    state: RequestState | None = work.session.scalar(
        select(GateRequest.state).where(GateRequest.repository_id == repository_id, GateRequest.user_id == user_id)
    )
    return state
