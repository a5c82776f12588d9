"""The ticket of one push: what lets git's hooks speak for it at the internal endpoint.

``hub web`` or ``hub ssh`` writes it when it starts ``git receive-pack``; the hooks send it back; nothing else can.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict, dataclass

from hub.accounts.models import TokenScope
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Denied
from hub.base.secrets import SECRET, Signer
from hub.db.base import new_uuid

# Beyond the transfer's own limit: the hooks speak at its very end.
_GRACE_S = 300


@dataclass(frozen=True)
class PushTicket:
    """Who pushes where, by which credential. push_uuid names the push record to be; expires_at is a Unix time."""

    push_uuid: str
    repository_id: int
    user_id: int | None
    scope: str | None
    actor_via: str
    token_id: int | None
    via: str  # as in the push record: "http" or "ssh"
    expires_at: int

    @property
    def token_scope(self) -> TokenScope | None:
        """The scope of the credential; None: all that the user may."""
        return TokenScope(self.scope) if self.scope else None


def issue_ticket(context: Context, *, actor: Actor, repository_id: int, via: str) -> tuple[PushTicket, str]:
    """A ticket for a push that starts now, and its signed text for the hooks' environment."""
    ticket = PushTicket(
        push_uuid=new_uuid(),
        repository_id=repository_id,
        user_id=actor.user_id,
        scope=actor.scope.value if actor.scope else None,
        actor_via=actor.via,
        token_id=actor.token_id,
        via=via,
        expires_at=int(context.clock.now().timestamp()) + context.settings.git_timeout_s + _GRACE_S,
    )
    payload = base64.urlsafe_b64encode(json.dumps(asdict(ticket)).encode()).decode()
    return ticket, f"{payload}.{_signer(context).sign(payload)}"


def read_ticket(context: Context, text: str) -> PushTicket:
    """The ticket that the text is. Raises Denied (code ``ticket_invalid``) when it is not ours or has expired."""
    payload, _, signature = text.partition(".")
    if not _signer(context).verify(payload, signature):
        raise Denied("This push is not one that the hub started.", code="ticket_invalid")
    ticket = PushTicket(**json.loads(base64.urlsafe_b64decode(payload)))
    if ticket.expires_at < context.clock.now().timestamp():
        raise Denied("This push took too long; push again.", code="ticket_invalid")
    return ticket


def hook_environment(context: Context, signed_ticket: str) -> dict[str, str]:
    """What the hook scripts need to find the hub and to speak for this push."""
    return {
        "HUB_PYTHON": sys.executable,
        "HUB_INTERNAL_URL": context.settings.effective_internal_url,
        "HUB_PUSH_TICKET": signed_ticket,
        "HUB_PUSH_TIMEOUT_S": str(context.settings.git_timeout_s),
    }


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "push-ticket")
