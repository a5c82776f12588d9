"""Git smart HTTP: clone, fetch and push, protocols v0, v1 and v2.

Sources: gitprotocol-http(5), gitprotocol-v2(5); CSGHub contract, sections 6.1 to 6.3. The dumb protocol is not served.

Errors are text in git's dialect: a status of 4xx with a plain text body, which git shows as ``remote:`` lines.
(The contract's other way, status 200 with an ``ERR`` packet, shows no more to people and hides the refusal from
proxies and logs.)
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request

from hub.accounts.policy import Action, Actor, require
from hub.base.errors import Denied, Invalid, NotFound, NotSignedIn, TooLarge
from hub.base.log import get_logger
from hub.db.uow import reading
from hub.git import pktline
from hub.git.command import hooks_path
from hub.http.actor import git_actor
from hub.http.context import current_context
from hub.http.errors import speak
from hub.repos import refs
from hub.repos.lookup import get_readable, repository_path
from hub.transport.exchange import GitExchange, GitSlots
from hub.transport.tickets import hook_environment, issue_ticket
from hub.transport.urls import RepositoryAddress, repository_route

log = get_logger(__name__)

blueprint = Blueprint("git_http", __name__)

UPLOAD_PACK = "git-upload-pack"
RECEIVE_PACK = "git-receive-pack"

# The longest text of a fetch's wants and haves, unpacked; 50 bytes an object id, more than a million of them.
MAX_NEGOTIATION_BYTES = 64 * 1024 * 1024
_READ_BYTES = 256 * 1024
_PROTOCOL = re.compile(r"[a-z0-9=:._-]{1,64}\Z")
_SLOTS = "hub_git_slots"

_NO_CACHE = {
    "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "Pragma": "no-cache",
    "Cache-Control": "no-cache, max-age=0, must-revalidate",
}


def _render_git_text(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    response = Response(f"{message}\n", status=status, content_type="text/plain; charset=utf-8", headers=_NO_CACHE)
    if status == 401:
        # This is what makes git ask for a name and a password, or send those that it has.
        response.headers["WWW-Authenticate"] = 'Basic realm="hub"'
    return response


speak(blueprint, _render_git_text)


@dataclass(frozen=True)
class Access:
    """A repository that the request's actor may use for the asked service."""

    actor: Actor
    repository_id: int
    uuid: str
    path: Path


def _open_repository(address: RepositoryAddress, service: str) -> Access:
    """Find the repository and judge the actor's right. Nothing of a repository is touched before this returned.

    Raises NotSignedIn for an anonymous actor and a repository that is missing or private alike, so that git asks
    for a credential; NotFound and Denied for a known one.
    """
    context, actor = current_context(), git_actor()
    with reading(context) as work:
        try:
            repository = get_readable(work, actor=actor, kind=address.kind, path=address.path)
        except NotFound:
            if actor.is_anonymous:
                raise NotSignedIn("Sign in to see whether there is such a repository.") from None
            raise
        if service == RECEIVE_PACK:
            require(work, actor, Action.REPOSITORY_WRITE, repository)
        return Access(actor, repository.id, repository.uuid, repository_path(context.settings, repository))


@repository_route(blueprint, "/info/refs", methods=["GET"])
def advertise_refs(address: RepositoryAddress) -> Response:
    """The first request of every clone, fetch and push: what there is."""
    service = request.args.get("service", "")
    if service not in (UPLOAD_PACK, RECEIVE_PACK):
        raise Denied("This hub speaks git's smart protocol only; a newer git will do.", code="service_unknown")
    access = _open_repository(address, service)
    head = pktline.encode(f"# service={service}\n".encode()) + pktline.FLUSH.value
    exchange = _start(access, service, advertise=True)
    return _respond(_Prefixed(head, exchange), f"application/x-{service}-advertisement")


@repository_route(blueprint, f"/{UPLOAD_PACK}", methods=["POST"])
def upload_pack(address: RepositoryAddress) -> Response:
    """What a clone or fetch wants; git answers with a pack (or, in protocol v2, with a list of refs)."""
    access = _open_repository(address, UPLOAD_PACK)
    _require_request_of(UPLOAD_PACK)
    return _respond(
        _start(access, UPLOAD_PACK, body=_body(MAX_NEGOTIATION_BYTES)), f"application/x-{UPLOAD_PACK}-result"
    )


@repository_route(blueprint, f"/{RECEIVE_PACK}", methods=["POST"])
def receive_pack(address: RepositoryAddress) -> Response:
    """A push: the ref changes and their pack. The hooks ask the hub before the refs move, and tell it after."""
    access = _open_repository(address, RECEIVE_PACK)
    _require_request_of(RECEIVE_PACK)
    context = current_context()
    ticket, signed = issue_ticket(context, actor=access.actor, repository_id=access.repository_id, via="http")
    exchange = _start(
        access,
        RECEIVE_PACK,
        body=_body(None),
        env=hook_environment(context, signed),
        outlives_client=True,
        on_end=lambda: refs.finish(context, ticket.push_uuid),
    )
    return _respond(exchange, f"application/x-{RECEIVE_PACK}-result")


def _start(access: Access, service: str, *, advertise: bool = False, **options: Any) -> GitExchange:
    context = current_context()
    env = dict(options.pop("env", {}))
    if (protocol := _protocol()) is not None:
        env["GIT_PROTOCOL"] = protocol
    args = ["--stateless-rpc", *(["--advertise-refs"] if advertise else []), "."]
    if service == RECEIVE_PACK:
        args = ["-c", f"receive.maxInputSize={context.settings.max_push_size_bytes}", "receive-pack", *args]
    else:
        args = ["upload-pack", "--strict", *args]
    return GitExchange(
        access.path,
        *args,
        service=service,
        slots=_slots(),
        timeout_s=context.settings.git_timeout_s,
        env=env,
        hooks=hooks_path() if service == RECEIVE_PACK else None,
        **options,
    )


def _slots() -> GitSlots:
    """The places of this process, shared by all its requests."""
    slots: GitSlots = current_app.extensions.setdefault(_SLOTS, GitSlots(current_context().settings.git_concurrency))
    return slots


def _protocol() -> str | None:
    """The protocol version that the client offers, when it is a plain word; git ignores what it does not know."""
    offered = request.headers.get("Git-Protocol", "")
    return offered if _PROTOCOL.match(offered) else None


def _require_request_of(service: str) -> None:
    if request.mimetype != f"application/x-{service}-request":
        raise Invalid(f"The request's content type must be application/x-{service}-request.", code="content_type_wrong")


def _body(limit_bytes: int | None) -> Iterator[bytes]:
    """The request's body in pieces, unpacked. The stream is taken now, because a second thread will read it."""
    request.max_content_length = None
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise Invalid("The request's body may be packed with gzip only.", code="content_encoding_unknown")
    pieces = _read_whole(request.stream, request.content_length)
    if encoding != "identity":
        pieces = _gunzip(pieces)
    return pieces if limit_bytes is None else _limit(pieces, limit_bytes)


def _read_whole(stream: Any, length: int | None) -> Iterator[bytes]:
    """The stream's pieces. Raises Invalid when it ends before the announced length: the client has gone."""
    seen = 0
    while piece := stream.read(_READ_BYTES):
        seen += len(piece)
        yield piece
    if length is not None and seen < length:
        raise Invalid("The request's body was cut off.", code="body_cut")


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, never more than a piece at a time. Raises Invalid when it is damaged or cut."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        for piece in pieces:
            while piece:
                yield unpacker.decompress(piece, _READ_BYTES)
                piece = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error:
        raise Invalid("The request's body is no valid gzip.", code="gzip_invalid") from None
    if not unpacker.eof:
        raise Invalid("The request's body was cut off.", code="body_cut")


def _limit(pieces: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    seen = 0
    for piece in pieces:
        seen += len(piece)
        if seen > limit_bytes:
            raise TooLarge("The request names too many objects.", code="negotiation_too_large")
        yield piece


class _Prefixed:
    """A few bytes, then an exchange; closing it closes the exchange even before the first byte was asked for."""

    def __init__(self, head: bytes, exchange: GitExchange) -> None:
        self._head = head
        self._exchange = exchange

    def __iter__(self) -> _Prefixed:
        return self

    def __next__(self) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return next(self._exchange)

    def close(self) -> None:
        self._exchange.close()


def _respond(body: Any, content_type: str) -> Response:
    return Response(body, content_type=content_type, headers=_NO_CACHE)
