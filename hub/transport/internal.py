"""The endpoint that git's hooks call: before the refs of a push move, and after.

Only the holder of a push's ticket can speak here, and only for that push.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request

from hub.accounts.models import AccessToken, User
from hub.accounts.policy import Action, Actor
from hub.accounts.service.deploytokens import find_bearer_by_id
from hub.base.errors import Denied, HubError, Invalid
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading
from hub.git.types import RefChange
from hub.http.context import current_context
from hub.http.errors import speak
from hub.repos import refs
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.proposals import PROPOSALS
from hub.transport.tickets import PushTicket, read_ticket

log = get_logger(__name__)

blueprint = Blueprint("internal", __name__, url_prefix="/-/internal")

TICKET_HEADER = "X-Hub-Push-Ticket"

# Ref lines of a push of a hundred thousand refs.
_MAX_BODY_BYTES = 32 * 1024 * 1024


def _render_lines(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """The answer's lines are what the hook prints to the pusher; the status says whether git goes on."""
    return Response(message, status=status, content_type="text/plain; charset=utf-8")


speak(blueprint, _render_lines)


@blueprint.post("/pre-receive")
def pre_receive() -> Response:
    """May the refs move so? 200: they may; any other status: git drops all that the push brought."""
    context = current_context()
    ticket = read_ticket(context, request.headers.get(TICKET_HEADER, ""))
    changes, quarantine = _read_body()
    with reading(context) as work:
        actor = _get_actor(work, ticket)
        repository = work.session.get(Repository, ticket.repository_id)
    if repository is None:
        raise Denied("The repository has been deleted.", code="repository_not_found")
    objects = repository_path(context.settings, repository) / "objects"
    object_env = _quarantine_environment(quarantine, objects) if quarantine else {}
    # The refs of pull requests move by another right, and by themselves.
    is_proposal = all(change.ref.startswith(PROPOSALS) for change in changes)
    new_bytes = offload(_disk_usage, Path(quarantine)) if quarantine else None
    try:
        refs.prepare(
            context,
            actor=actor,
            repository_id=ticket.repository_id,
            changes=changes,
            via=ticket.via,
            object_env=object_env,
            new_bytes=new_bytes,
            push_uuid=ticket.push_uuid,
            action=Action.REPOSITORY_PROPOSE if is_proposal else Action.REPOSITORY_WRITE,
        )
    except HubError as refusal:
        log.info("push_refused", repository_id=ticket.repository_id, actor_id=ticket.user_id, code=refusal.code)
        raise
    return _render_lines(200, "", "", {})


@blueprint.post("/post-receive")
def post_receive() -> Response:
    """These refs have moved."""
    context = current_context()
    ticket = read_ticket(context, request.headers.get(TICKET_HEADER, ""))
    changes, _ = _read_body()
    refs.settle(context, ticket.push_uuid, changes)
    return _render_lines(200, "", "", {})


def _read_body() -> tuple[list[RefChange], str]:
    """The ref changes and the path of the quarantine ("" when there is none, as for deletions).

    The body is the path on a line of its own, then git's lines as they are: old id, new id, ref.
    """
    request.max_content_length = _MAX_BODY_BYTES
    quarantine, *lines = request.get_data(cache=False).decode("utf-8", "surrogateescape").split("\n")
    try:
        changes = [RefChange(ref, old, new) for old, new, ref in (line.split(" ", 2) for line in lines if line)]
    except ValueError:
        changes = []
    if not changes or "\0" in quarantine:
        raise Invalid("This is not what the hub's hooks send.", code="hook_body_invalid")
    return changes, quarantine


def _get_actor(work: UnitOfWork, ticket: PushTicket) -> Actor:
    """The pusher as they are now. Raises Denied when the account or the token ended while the push came in."""
    if ticket.actor_via == "deploy" and ticket.token_id is not None:
        bearer = find_bearer_by_id(work, ticket.token_id)
        if bearer is None:
            raise Denied("Your deploy token has expired or was revoked.", code="token_ended")
        return bearer.actor
    user = work.session.get(User, ticket.user_id) if ticket.user_id is not None else None
    if user is None or not user.is_active:
        raise Denied("Your account may no longer push.", code="account_inactive")
    if ticket.token_id is not None:
        token = work.session.get(AccessToken, ticket.token_id)
        if token is None or (token.expires_at is not None and token.expires_at <= work.now()):
            raise Denied("Your access token has expired or was revoked.", code="token_ended")
    return Actor.of_user(user, via=ticket.actor_via, scope=ticket.token_scope, token_id=ticket.token_id)


def _quarantine_environment(quarantine: str, objects: Path) -> dict[str, str]:
    """Git's variables for reading a push's objects where they wait.

    Raises Denied for a path that is not a quarantine of this very repository: the hooks are trusted to forward what
    git told them, and nothing more. Source: git-receive-pack(1), section "Quarantine Environment".
    """
    path = Path(quarantine)
    real = path.resolve()
    if real.parent != objects.resolve() or not real.is_dir() or not real.name.startswith(("tmp_objdir-", "incoming-")):
        raise Denied("This push's objects are not where they belong.", code="quarantine_invalid")
    return {
        "GIT_OBJECT_DIRECTORY": str(real),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects.resolve()),
        "GIT_QUARANTINE_PATH": str(real),
    }


def _disk_usage(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
