"""Git smart HTTP: clone, fetch and push, protocols v0, v1 and v2.

Sources: gitprotocol-http(5), gitprotocol-v2(5); CSGHub contract, sections 6.1 to 6.3. The dumb protocol is not served.

Errors are text in git's dialect: a status of 4xx with a plain text body, which git shows as ``remote:`` lines.
(The contract's other way, status 200 with an ``ERR`` packet, shows no more to people and hides the refusal from
proxies and logs.)
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from tempfile import TemporaryFile
from typing import IO, Any

from flask import Blueprint, Response, current_app, request

from hub.base.errors import Denied, Invalid, NotFound, NotSignedIn, TooLarge
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.git import pktline
from hub.git.command import hooks_path, open_git
from hub.git.packcache import PackCache, cache_key
from hub.git.uploadpack import (
    Advertisement,
    LsRefs,
    PlainFetch,
    VisibleRef,
    advertise_for_push,
    answer_ls_refs,
    digest_of,
    list_visible_refs,
    parse_request,
    version_of,
)
from hub.http.actor import git_actor
from hub.http.context import current_context
from hub.http.errors import speak
from hub.http.files import client_of
from hub.http.ranges import FileChunks
from hub.repos import refs
from hub.repos.downloads import DOWNLOADS
from hub.transport.access import (
    RECEIVE_PACK,
    UPLOAD_PACK,
    Access,
    open_repository,
    protocol_environment,
    service_command,
)
from hub.transport.exchange import WHOLE_BYTES, GitExchange, GitSlots
from hub.transport.routes import repository_route
from hub.transport.tickets import hook_environment, issue_ticket
from hub.transport.urls import RepositoryAddress

log = get_logger(__name__)

blueprint = Blueprint("git_http", __name__)

# The longest text of a fetch's wants and haves, unpacked; 50 bytes an object id, more than a million of them.
MAX_NEGOTIATION_BYTES = 64 * 1024 * 1024
_READ_BYTES = 256 * 1024
_NOTHING = pktline.FLUSH.value
# So many refs are read in less time than a thread takes to be woken.
_FEW_REFS = 200
_REMEMBERED_COUNTS = 10_000
_TOOLS = "hub_git_tools"

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


def _open_repository(address: RepositoryAddress, service: str) -> Access:
    """As ``open_repository``, for the request's actor.

    An anonymous actor is asked for a credential, whether the repository is missing or private.
    """
    actor = git_actor()
    try:
        return open_repository(current_context(), actor, address, service)
    except NotFound:
        if actor.is_anonymous and actor.limit is None:
            raise NotSignedIn("Sign in to see whether there is such a repository.") from None
        raise


@repository_route(blueprint, "/info/refs", methods=["GET"])
def advertise_refs(address: RepositoryAddress) -> Response:
    """The first request of every clone, fetch and push: what there is."""
    service = request.args.get("service", "")
    if service not in (UPLOAD_PACK, RECEIVE_PACK):
        raise Denied("This hub speaks git's smart protocol only; a newer git will do.", code="service_unknown")
    access = _open_repository(address, service)
    content_type = f"application/x-{service}-advertisement"
    if service == UPLOAD_PACK and _version() == 2:
        return _respond(_tools().advertisement.get(access.path), content_type)
    head = pktline.encode(f"# service={service}\n".encode()) + pktline.FLUSH.value
    if service == RECEIVE_PACK and _version() == 0:
        capabilities = _tools().advertisement.get_for_push(access.path)
        return _respond(head + advertise_for_push(_list_refs(access), capabilities), content_type)
    return _respond(_Prefixed(head, _start(access, service, advertise=True)), content_type)


@repository_route(blueprint, f"/{UPLOAD_PACK}", methods=["POST"])
def upload_pack(address: RepositoryAddress) -> Response:
    """What a clone or fetch wants: in protocol v2 a list of refs or a pack, before it a pack only.

    Lists are answered here; the packs of plain clones come out of the cache; the rest is git's.
    """
    access = _open_repository(address, UPLOAD_PACK)
    _require_request_of(UPLOAD_PACK)
    content_type = f"application/x-{UPLOAD_PACK}-result"
    body = _body(MAX_NEGOTIATION_BYTES)
    start = _read_start(body)
    if len(start) > WHOLE_BYTES:
        return _respond(_start(access, UPLOAD_PACK, body=chain((start,), body)), content_type)
    asked = parse_request(start, _version())
    if isinstance(asked, LsRefs):
        return _respond(answer_ls_refs(_list_refs(access), asked), content_type)
    if isinstance(asked, PlainFetch):
        current_context()[DOWNLOADS].count(access.repository_id, client=client_of(access.actor))
        if _tools().packs.takes(access.git_size_bytes):
            return _answer_from_cache(access, asked, start, content_type)
    return _respond(_start(access, UPLOAD_PACK, body=start), content_type)


def _answer_from_cache(access: Access, asked: PlainFetch, body: bytes, content_type: str) -> Response:
    """The pack that a clone wants, made once for all clones of these refs. The reader's right was judged before."""
    tools, settings = _tools(), current_context().settings
    key = cache_key(access.uuid, digest_of(_list_refs(access)), asked.text)
    finished = tools.packs.open(key)
    if finished is not None:
        return _send_file(finished, content_type)
    args, env = [*service_command(settings, UPLOAD_PACK), "--stateless-rpc"], _protocol_environment()

    def start(answer: IO[bytes]) -> subprocess.Popen[bytes]:
        tools.slots.take()
        try:
            with TemporaryFile() as given:
                given.write(body)
                given.seek(0)
                return open_git(access.path, *args, ".", stdin=given, stdout=answer, env=env)
        except BaseException:
            tools.slots.give_back()
            raise

    return _respond(
        tools.packs.follow(key, start, tools.slots.give_back, timeout_s=settings.git_timeout_s), content_type
    )


def _list_refs(access: Access) -> list[VisibleRef]:
    """The repository's refs as they are now. A thread of its own is worth its price for many refs only."""
    counts = _tools().ref_counts
    if counts.get(access.uuid, _FEW_REFS) < _FEW_REFS:
        refs = list_visible_refs(access.path)
    else:
        refs = offload(list_visible_refs, access.path)
    if len(counts) >= _REMEMBERED_COUNTS:
        counts.clear()
    counts[access.uuid] = len(refs)
    return refs


def _send_file(stream: IO[bytes], content_type: str) -> Response:
    length = os.fstat(stream.fileno()).st_size
    response = Response(content_type=content_type, headers={**_NO_CACHE, "Content-Length": str(length)})
    wrapper = request.environ.get("hub.sendfile")
    response.response = FileChunks(stream, length) if wrapper is None else wrapper(stream, length)
    response.direct_passthrough = True
    return response


@repository_route(blueprint, f"/{RECEIVE_PACK}", methods=["POST"])
def receive_pack(address: RepositoryAddress) -> Response:
    """A push: the ref changes and their pack. The hooks ask the hub before the refs move, and tell it after."""
    access = _open_repository(address, RECEIVE_PACK)
    _require_request_of(RECEIVE_PACK)
    content_type = f"application/x-{RECEIVE_PACK}-result"
    body = _body(None)
    if request.content_length == len(_NOTHING):
        start = _read_start(body)
        if start == _NOTHING:
            # Before a large push git asks by this whether its credential will do. It does.
            return _respond(b"", content_type)
        body = iter((start,))
    context = current_context()
    ticket, signed = issue_ticket(context, actor=access.actor, repository_id=access.repository_id, via="http")
    exchange = _start(
        access,
        RECEIVE_PACK,
        body=body,
        env=hook_environment(context, signed),
        outlives_client=True,
        on_end=lambda: refs.finish(context, ticket.push_uuid),
    )
    return _respond(exchange, content_type)


def _start(access: Access, service: str, *, advertise: bool = False, **options: Any) -> GitExchange:
    settings = current_context().settings
    options["env"] = {**options.get("env", {}), **_protocol_environment()}
    args = [*service_command(settings, service, is_proposal=access.is_proposal), "--stateless-rpc"]
    if advertise:
        args.append("--advertise-refs")
    if service == RECEIVE_PACK:
        options["hooks"] = hooks_path()
    return GitExchange(
        access.path, *args, ".", service=service, slots=_tools().slots, timeout_s=settings.git_timeout_s, **options
    )


@dataclass(frozen=True)
class _Tools:
    """What all requests of this process share."""

    slots: GitSlots
    packs: PackCache
    advertisement: Advertisement
    ref_counts: dict[str, int]  # by repository uuid, as last seen


def _tools() -> _Tools:
    tools: _Tools | None = current_app.extensions.get(_TOOLS)
    if tools is None:
        context = current_context()
        settings = context.settings
        packs = PackCache(
            settings.cache_path / "packs", settings.pack_cache_size_bytes, min_free_bytes=settings.min_free_disk_bytes
        )
        tools = _Tools(GitSlots(settings.git_concurrency), packs, Advertisement(), {})
        tools = current_app.extensions.setdefault(_TOOLS, tools)
    return tools


def _protocol_environment() -> dict[str, str]:
    return protocol_environment(request.headers.get("Git-Protocol"))


def _version() -> int:
    return version_of(request.headers.get("Git-Protocol"))


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
        # Whether it is gzip at all shows in the first bytes; then the answer can still be an error.
        pieces = chain((next(pieces, b""),), pieces)
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
                unpacked = unpacker.decompress(piece, _READ_BYTES)
                if unpacked:
                    yield unpacked
                piece = unpacker.unconsumed_tail
        if rest := unpacker.flush():
            yield rest
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


def _read_start(body: Iterator[bytes]) -> bytes:
    """The body when it is small, else a beginning of it that is longer than ``WHOLE_BYTES``."""
    start = b""
    for piece in body:
        start += piece
        if len(start) > WHOLE_BYTES:
            break
    return start


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


def _respond(body: bytes | Iterable[bytes], content_type: str) -> Response:
    return Response(body, content_type=content_type, headers=_NO_CACHE)
