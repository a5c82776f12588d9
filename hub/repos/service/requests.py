"""Requests for the content of gated repositories: asking, looking, deciding.

Who administers the repository decides. Who asks tells those their name and e-mail address, and what they fill in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import joinedload

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user, get_visible_user
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.db.base import new_uuid
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.events import AccessDecided, AccessRequested
from hub.repos.gates import Gate, may_read_content
from hub.repos.lookup import get_for, get_readable
from hub.repos.models import GateRequest, Repository, RequestState

log = get_logger(__name__)

MAX_FIELDS = 20
MAX_FIELD_NAME_CHARS = 100
MAX_FIELD_CHARS = 1000
MAX_REASON_CHARS = 500


def request_access(
    work: UnitOfWork, *, actor: Actor, repository_id: int, fields: Mapping[str, Any] | None = None
) -> GateRequest:
    """The actor's request for a repository's content: accepted at once where the gate is "auto", else pending.

    fields: what the actor says of themselves, name to text. Raises NotFound, NotSignedIn, Denied; Invalid
    (``not_gated``, ``fields_invalid``); Conflict (``access_given``: the actor has access already;
    ``access_requested``: there is a request, and its state is in the details).
    """
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    require_gate(repository)
    if may_read_content(work, actor, repository):
        raise Conflict("You have access to this repository already.", code="access_given")
    state = RequestState.ACCEPTED if repository.gate == Gate.AUTO else RequestState.PENDING
    decided_at = work.now() if state is RequestState.ACCEPTED else None
    checked = _checked_fields(fields or {})
    if not _insert(work, repository, user.id, state, fields=checked, decided_at=decided_at):
        request = _get(work, repository, user_id=user.id)
        # It was asked for when somebody still decided.
        if request.state is not RequestState.PENDING or state is RequestState.PENDING:
            raise Conflict(
                f"You have asked for access already; your request is {request.state.value}.",
                code="access_requested",
                state=request.state.value,
            )
        _settle(work, request, state)
    request = _get(work, repository, user_id=user.id)
    publish(work, AccessRequested(request.id, repository.id, user.id))
    log.info("access_requested", repository_id=repository.id, actor_id=user.id, state=state.value)
    return request


def find_own_request(work: UnitOfWork, *, actor: Actor, repository_id: int) -> GateRequest | None:
    """The actor's own request, or None. Raises NotSignedIn, NotFound (``repository_not_found``)."""
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    return _find(work, repository, user_id=get_own_user(work, actor=actor).id)


def list_requests(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    state: RequestState | None = None,
    page: PageArgs | None = None,
) -> Page[GateRequest]:
    """The requests for a repository, the oldest first, with their users; they are kept while there is no gate.

    Raises NotFound, NotSignedIn, Denied.
    """
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    page = page or PageArgs()
    here = [GateRequest.repository_id == repository.id]
    if state is not None:
        here.append(GateRequest.state == state)
    total = work.session.scalar(select(func.count(GateRequest.id)).where(*here)) or 0
    rows: Sequence[GateRequest] = work.session.scalars(
        select(GateRequest)
        .where(*here)
        .options(joinedload(GateRequest.user).lazyload(User.namespace))
        .order_by(GateRequest.id)
        .offset(page.offset)
        .limit(page.per)
    ).all()
    return Page(rows, total)


def decide_request(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    state: RequestState,
    user: str = "",
    request_uuid: str = "",
    reason: str = "",
) -> GateRequest:
    """A request with another state: accepted, rejected, or pending again. It is named by its user or by its uuid.

    reason: why it is rejected; the user is told. Raises NotFound (``user_not_found``, ``access_request_not_found``),
    NotSignedIn, Denied; Invalid (``not_gated``, ``reason_invalid``); Conflict (``access_request_settled``: it has that
    state).
    """
    repository = _get_gated(work, actor, repository_id)
    if len(reason) > MAX_REASON_CHARS or not is_storable(reason):
        raise Invalid(f"The reason is a text of at most {MAX_REASON_CHARS} characters.", code="reason_invalid")
    if request_uuid:
        request = _get(work, repository, uuid=request_uuid)
    else:
        request = _get(work, repository, user_id=get_visible_user(work, actor=actor, name=user).id)
    if not _settle(work, request, state, actor, reason if state is RequestState.REJECTED else ""):
        raise Conflict(f"The request is {state.value} already.", code="access_request_settled", state=state.value)
    _tell(work, request, actor)
    return request


def grant_access(work: UnitOfWork, *, actor: Actor, repository_id: int, user: str) -> GateRequest:
    """An accepted request of a user, whether there was one or not.

    Raises NotFound (``user_not_found``), NotSignedIn, Denied; Invalid (``not_gated``); Conflict (``access_given``).
    """
    repository = _get_gated(work, actor, repository_id)
    receiver = get_visible_user(work, actor=actor, name=user)
    if may_read_content(work, Actor.of_user(receiver, via="grant"), repository):
        raise Conflict("The user has access already.", code="access_given")
    decided = {"decided_at": work.now(), "decided_by_id": actor.user_id}
    is_new = _insert(work, repository, receiver.id, RequestState.ACCEPTED, fields={}, **decided)
    request = _get(work, repository, user_id=receiver.id)
    if not is_new and not _settle(work, request, RequestState.ACCEPTED, actor):
        raise Conflict("The user has access already.", code="access_given")
    _tell(work, request, actor)
    return request


def require_gate(repository: Repository) -> None:
    """Return for a gated repository. Raises Invalid (``not_gated``)."""
    if not repository.gate:
        raise Invalid("This repository is not gated: whoever may see it may read it.", code="not_gated")


def _get_gated(work: UnitOfWork, actor: Actor, repository_id: int) -> Repository:
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    require_gate(repository)
    return repository


def _get(work: UnitOfWork, repository: Repository, *, user_id: int | None = None, uuid: str = "") -> GateRequest:
    request = _find(work, repository, user_id=user_id, uuid=uuid)
    if request is None:
        raise NotFound("There is no such request for access.", code="access_request_not_found")
    return request


def _find(
    work: UnitOfWork, repository: Repository, *, user_id: int | None = None, uuid: str = ""
) -> GateRequest | None:
    which = GateRequest.uuid == uuid if user_id is None else GateRequest.user_id == user_id
    found: GateRequest | None = work.session.scalar(
        select(GateRequest)
        .where(GateRequest.repository_id == repository.id, which)
        .options(joinedload(GateRequest.user).lazyload(User.namespace))
        .execution_options(populate_existing=True)
    )
    return found


def _insert(work: UnitOfWork, repository: Repository, user_id: int, state: RequestState, **more: Any) -> bool:
    """Whether there was no request of the user yet; of two that insert at once the table lets one."""
    row = {
        "uuid": new_uuid(),
        "repository_id": repository.id,
        "user_id": user_id,
        "state": state,
        "reason": "",
        "created_at": work.now(),
    }
    return insert_new(work.session, GateRequest, [row | more]) == 1


def _settle(
    work: UnitOfWork, request: GateRequest, state: RequestState, actor: Actor | None = None, reason: str = ""
) -> bool:
    """Give a request another state; False where it has it. Of two that decide alike at once one is told so."""
    is_decided = state is not RequestState.PENDING
    changed = work.session.execute(
        update(GateRequest)
        .where(GateRequest.id == request.id, GateRequest.state != state)
        .values(
            state=state,
            reason=reason,
            decided_at=work.now() if is_decided else None,
            decided_by_id=actor.user_id if actor and is_decided else None,
        )
        .execution_options(synchronize_session=False)
    )
    assert isinstance(changed, CursorResult)
    work.session.refresh(request)
    return changed.rowcount == 1


def _tell(work: UnitOfWork, request: GateRequest, actor: Actor) -> None:
    publish(work, AccessDecided(request.id, request.repository_id, request.state.value, actor.user_id))
    log.info(
        "access_decided",
        repository_id=request.repository_id,
        user_id=request.user_id,
        state=request.state.value,
        actor_id=actor.user_id,
    )


def _checked_fields(fields: Mapping[str, Any]) -> dict[str, str | bool]:
    """What the asker filled in. Raises Invalid (``fields_invalid``)."""

    def fits(name: str, value: Any) -> bool:
        if not 0 < len(name) <= MAX_FIELD_NAME_CHARS or not is_storable(name):
            return False
        if isinstance(value, str):
            return len(value) <= MAX_FIELD_CHARS and is_storable(value)
        return isinstance(value, bool)

    if len(fields) > MAX_FIELDS or not all(fits(name, value) for name, value in fields.items()):
        raise Invalid(
            f"At most {MAX_FIELDS} members, each a text of at most {MAX_FIELD_CHARS} characters, or true or false.",
            code="fields_invalid",
        )
    return dict(fields)
