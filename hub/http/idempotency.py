"""Requests that may be repeated: ``Idempotency-Key`` on a POST makes it happen once, however often it is sent.

Source: IETF draft httpapi-idempotency-key-header. A key belongs to the account that sends it. While the first request
is at work a second one gets 409; afterwards it gets the first one's answer, with ``Idempotent-Replayed: true``; with
another path, body or credential it gets 422: an answer goes to nobody but who was given it before.
Only successes are kept: what was refused has changed nothing and may be tried again.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, g, request
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Conflict, HubError, Invalid, Unprocessable
from hub.base.log import get_logger
from hub.base.secrets import SECRET, Sealer
from hub.db.insert import insert_new
from hub.db.uow import unit_of_work
from hub.http.actor import current_actor
from hub.http.models import IdempotencyKey
from hub.http.rest import serves_api

log = get_logger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY_CHARS = 255
# Longer than any request lasts: the process that served it has died.
_ABANDONED_AFTER = timedelta(minutes=15)
_MAX_KEPT_BYTES = 1024 * 1024
_KEPT_HEADERS = ("Content-Type", "Location")


def install(app: Flask, context: Context) -> None:
    """Watch every POST to the API; done once, by ``create_app``, after what bounds the size of bodies."""
    # An answer may hold a fresh token, of which the hub itself keeps only a hash.
    sealer = Sealer(context[SECRET], "idempotency")

    @app.before_request
    def find_answer() -> Response | None:
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST" or not serves_api():
            return None
        if not 0 < len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
            raise Invalid(f"'{HEADER}' must be 1 to {MAX_KEY_CHARS} printable characters of ASCII.", header=HEADER)
        if request.mimetype not in ("", "application/json"):
            raise Invalid(f"'{HEADER}' is for requests whose body is JSON.", header=HEADER)
        actor = _actor()
        return None if actor is None or actor.user_id is None else _begin(context, sealer, actor, key)

    @app.after_request
    def keep_answer(response: Response) -> Response:
        row_id: int | None = g.pop("hub_idempotency", None)
        if row_id is not None:
            try:
                _finish(context, sealer, row_id, response)
            except Exception:
                # The work is done and the client must hear of it; a repetition will find the key abandoned.
                log.exception("idempotency_answer_lost", row_id=row_id)
        return response


def _actor() -> Actor | None:
    """Who asks; None for a credential that the view itself will refuse."""
    try:
        return current_actor()
    except HubError:
        return None


def _begin(context: Context, sealer: Sealer, actor: Actor, key: str) -> Response | None:
    """Note that the request is at work; the kept answer instead when it was before. Raises Conflict, Unprocessable."""
    fingerprint, user_id = _fingerprint(actor), actor.user_id
    with unit_of_work(context) as work:
        now = work.now()
        values: dict[str, Any] = {
            "user_id": user_id,
            "key": key,
            "fingerprint": fingerprint,
            "headers": {},
            "created_at": now,
        }
        is_new = insert_new(work.session, IdempotencyKey, [{**values, "body": ""}]) == 1
        row = work.session.scalars(
            select(IdempotencyKey).where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
        ).one()
        if is_new:
            g.hub_idempotency = row.id
            return None
        if row.fingerprint != fingerprint:
            raise Unprocessable(f"This '{HEADER}' was sent with another request.", code="idempotency_key_reused")
        if row.status is not None:
            headers = {**row.headers, REPLAYED: "true"}
            return Response(sealer.open(row.body), row.status, headers)
        if not _take_over(work.session, row, now):
            raise Conflict("The same request is still at work.", code="request_in_progress", retry_after_s=1)
        g.hub_idempotency = row.id
        return None


def _take_over(session: Session, row: IdempotencyKey, now: datetime) -> bool:
    """Whether the request's first process has died and this one, of all that try, may go on in its place."""
    if row.created_at > now - _ABANDONED_AFTER:
        return False
    taken = update(IdempotencyKey).where(IdempotencyKey.id == row.id, IdempotencyKey.created_at == row.created_at)
    result: CursorResult[Any] = session.execute(taken.values(created_at=now))  # type: ignore[assignment]
    return bool(result.rowcount)


def _fingerprint(actor: Actor) -> str:
    """Of the request and of the credential: a weaker token of the account must not be given a stronger one's answer."""
    credential = f"{actor.via} {actor.token_id} {actor.scope}"
    digest = hashlib.sha256(f"{credential}\0{request.method} {request.full_path}\0".encode())
    digest.update(request.get_data(cache=True))
    return digest.hexdigest()


def _finish(context: Context, sealer: Sealer, row_id: int, response: Response) -> None:
    is_kept = response.status_code < 300 and not response.is_streamed
    body = response.get_data() if is_kept else b""
    with unit_of_work(context) as work:
        if not is_kept or len(body) > _MAX_KEPT_BYTES:
            work.session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == row_id))
            return
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        work.session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.id == row_id)
            .values(status=response.status_code, headers=headers, body=sealer.seal(body.decode()))
        )
