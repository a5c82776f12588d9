"""Tickets: signed leave to move pieces of one repository's contents, for half an hour.

A ticket says who asked for it and how much their credential allowed. Whoever shows it may do no more than they: what
they read is judged anew with each request, what they write when it is registered. Source: Xet contract, section 2.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from hub.plugin import Context, TokenScope
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import Denied, NotSignedIn
from hub.plugin.policy import ANONYMOUS, SERVICE, SYSTEM, AccessToken, Actor, User, find_bearer_by_id
from hub.plugin.signing import Signer, create_signer

# Source: Xet contract, section 2: clients renew by time alone, between 10 and 60 minutes.
LIFE_S = 30 * 60
_MAX_CHARS = 2048
# Who is no user: the hub's own jobs are "system".
_WITHOUT_ACCOUNT = {actor.via: actor for actor in (ANONYMOUS, SYSTEM, SERVICE)}


class TicketScope(StrEnum):
    """Which way pieces may be moved. Writing implies reading."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class Claims:
    """What a ticket says. It is good for as long as the access token by which it was asked for, if it was by one.

    user_id: None for who has no account, of whom ``via`` says who it is: nobody, a deploy token, or the hub itself.
    token_scope: the most that the credential allowed; "" for all that the user may. base_url: the hub as the client
    reached it. expires_at_s: Unix seconds.
    """

    scope: TicketScope
    repository_id: int
    user_id: int | None
    via: str
    token_scope: str
    base_url: str
    expires_at_s: int
    token_id: int | None = None

    @classmethod
    def of(cls, actor: Actor, *, scope: TicketScope, repository_id: int, base_url: str, expires_at_s: int) -> Claims:
        """The claims of an actor whose rights have been judged."""
        token_scope = actor.scope.value if actor.scope is not None else ""
        via = actor.via if actor.user_id is None else "transfer"
        return cls(scope, repository_id, actor.user_id, via, token_scope, base_url, expires_at_s, actor.token_id)

    @property
    def is_system(self) -> bool:
        """Whether the hub issued the ticket to a job of its own."""
        return self.user_id is None and self.via == SYSTEM.via


def sign_ticket(context: Context, claims: Claims) -> str:
    """The ticket as clients carry it: URL-safe characters and one dot."""
    values = {
        "scope": claims.scope.value,
        "repository": claims.repository_id,
        "user": claims.user_id,
        "via": claims.via,
        "token_scope": claims.token_scope,
        "base": claims.base_url,
        "exp": claims.expires_at_s,
        "token": claims.token_id,
    }
    text = base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")
    return f"{text}.{_signer(context).sign(text)}"


def read_ticket(context: Context, authorization: str) -> Claims:
    """The claims of an ``Authorization`` header. Raises NotSignedIn: none, forged, or expired."""
    scheme, _, ticket = authorization.strip().partition(" ")
    text, _, signature = ticket.strip().rpartition(".")
    if scheme.lower() != "bearer" or not text or len(ticket) > _MAX_CHARS:
        raise NotSignedIn("Send the access token that the hub issued for this repository.")
    if not _signer(context).verify(text, signature):
        raise NotSignedIn("The access token is not one of this hub's.")
    claims = _parse(text)
    if claims.expires_at_s <= context.clock.now().timestamp():
        raise NotSignedIn("The access token has expired; ask the hub for a new one.")
    return claims


def require_ticket(scope: TicketScope) -> tuple[Claims, Actor]:
    """The request's claims and who they speak for. It counts as one of theirs.

    Raises NotSignedIn, Denied (the ticket is for reading only), RateLimited.
    """
    # Late: workers issue tickets to themselves and speak no HTTP.
    from flask import request

    from hub.plugin.wire import count_transfer, current_context

    context = current_context()
    claims = read_ticket(context, request.headers.get("Authorization", ""))
    if scope is TicketScope.WRITE and claims.scope is not TicketScope.WRITE:
        raise Denied("The access token is for reading only.", code="scope_insufficient")
    if claims.user_id is not None or claims.via == ANONYMOUS.via:
        count_transfer(context, claims.user_id)
    with reading(context) as work:
        return claims, actor_of(work, claims)


def actor_of(work: UnitOfWork, claims: Claims) -> Actor:
    """Who asked for the ticket. Raises NotSignedIn when the account, or the token by which they asked, is gone."""
    if claims.user_id is None:
        return _bearer_of(work, claims) if claims.via == "deploy" else _WITHOUT_ACCOUNT[claims.via]
    user = work.session.get(User, claims.user_id)
    if user is None or not user.is_active:
        raise NotSignedIn("The account that the access token was issued to is gone.")
    if claims.token_id is not None and not _is_good(work, claims, claims.token_id):
        raise NotSignedIn("The token by which the access token was asked for is gone; sign in again.")
    scope = TokenScope(claims.token_scope) if claims.token_scope else None
    return Actor.of_user(user, via=claims.via, scope=scope, token_id=claims.token_id)


def _bearer_of(work: UnitOfWork, claims: Claims) -> Actor:
    bearer = find_bearer_by_id(work, claims.token_id) if claims.token_id is not None else None
    if bearer is None:
        raise NotSignedIn("The deploy token by which the access token was asked for is gone.")
    return bearer.actor


def _is_good(work: UnitOfWork, claims: Claims, token_id: int) -> bool:
    """Whether the user's token is what it was when the ticket was issued: neither revoked, expired nor renewed."""
    columns = (AccessToken.created_at, AccessToken.expires_at)
    row = work.session.execute(
        select(*columns).where(AccessToken.id == token_id, AccessToken.user_id == claims.user_id)
    ).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= work.now()):
        return False
    return int(row.created_at.timestamp()) <= claims.expires_at_s - LIFE_S


def _parse(text: str) -> Claims:
    """The claims in a text that carries our signature."""
    try:
        values: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        raise NotSignedIn("The access token is not one of this hub's.") from None
    return Claims(
        TicketScope(values["scope"]),
        values["repository"],
        values["user"],
        values["via"],
        values["token_scope"],
        values["base"],
        values["exp"],
        values.get("token"),
    )


def _signer(context: Context) -> Signer:
    return create_signer(context, "xnet-ticket")
