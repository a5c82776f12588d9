"""Calls of the gateway by people who are signed in: no key leaves the hub.

A page calls the hub's own address as it would call ``/v1``; the call runs in this process, on the account and with the
limits of the built-in key of who is signed in. Nobody else's session makes one: writes carry the session's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from flask import Response, request

from hub.plugin import Actor, get_logger
from hub.plugin.db import reading, unit_of_work
from hub.plugin.errors import HubError
from hub.plugin.services import find
from hub.plugin.web import current_context
from plugins.inference import keys
from plugins.inference.catalogue import Served
from plugins.inference.gateway import faults
from plugins.inference.gateway.app import KINDS, Gateway
from plugins.inference.gateway.caller import Client
from plugins.inference.gateway.calls import Answer, CallKind, Relay
from plugins.inference.gateway.faults import ClientGone, Fault
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Limits
from plugins.inference.web.accounts import find_builtin_key, own_namespace

log = get_logger(__name__)

SERVICE = "gateway"  # under which the process's own is found
_KINDS = {path.removeprefix("/v1/"): kind for kind in KINDS for path in kind.paths}


def find_gateway() -> Gateway:
    """The gateway of this process."""
    return cast(Gateway, find(current_context(), SERVICE))


def list_callable(actor: Actor) -> list[Served]:
    """The models that who is signed in may call, by name. Raises Fault while the built-in key is no good."""
    caller = find_gateway().caller
    with reading(current_context()) as work:
        namespace = own_namespace(work, actor)
        key = find_builtin_key(work, namespace)
        # Nobody makes a key by looking at a page: a key that is not there yet will have no limits.
        bearer = keys.Bearer(0, namespace.uuid, namespace.id, actor.user_id, Limits(), (), None, True, None)
    found = caller.list_models(caller.authenticate_hash(key.token_hash) if key else bearer)
    return sorted(found, key=lambda served: served.name)


def call_as(actor: Actor, route: str) -> Response:
    """The request's call of a route below ``/v1``, made for who is signed in; errors are said as the gateway does."""
    kind = _KINDS.get(route)
    sent: list[tuple[str, str]] = []
    try:
        if kind is None:
            raise faults.unknown_route(route[:200])
        return _call(actor, kind, sent)
    except Fault as fault:
        told = fault
    except ClientGone:
        told = faults.bad_request("The request ended early.")
    except HubError as error:
        told = faults.of_hub(error)
    return _answer(told.body, "application/json", told.status, [*sent, *told.headers.items()])


def _call(actor: Actor, kind: CallKind, sent: list[tuple[str, str]]) -> Response:
    context, caller = current_context(), find_gateway().caller
    with unit_of_work(context) as work:
        key, _ = keys.get_builtin(work, actor=actor, namespace=own_namespace(work, actor))
        token_hash = key.token_hash
    bearer = caller.authenticate_hash(token_hash)
    asking = Request(request.environ, context.settings.home / "incoming")
    asked = kind.read(asking, caller.settings)
    try:
        # Of the browser's own headers upstreams are told none.
        found = caller.call(kind, bearer, Client(asking.id, {}, asking.check_client), asked, sent)
    finally:
        asked.payload.close()
    if isinstance(found, Answer):
        return _answer(found.body, found.content_type, found.status, [*sent, *found.headers])
    return _stream(found, sent)


def _stream(relay: Relay, sent: list[tuple[str, str]]) -> Response:
    response = _answer(relay.events(), "text/event-stream; charset=utf-8", 200, sent)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(relay.close)
    return response


def _answer(body: bytes | Iterable[bytes], content_type: str, status: int, headers: list[tuple[str, str]]) -> Response:
    response = Response(body, status=status, content_type=content_type)
    for name, value in headers:
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response
