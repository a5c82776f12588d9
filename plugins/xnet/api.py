"""Uploads to the CAS service, and questions about chunks. Source: Xet contract, sections 3 and 8.

hf_xet before 1.6 asks for paths without /v1, before 1.1.10 in the singular; what they send and read is the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from flask import Response, request

from hub.plugin import Context, get_logger
from hub.plugin.errors import HubError, Invalid, RateLimited, Unavailable
from hub.plugin.objects import incoming_folder, receive_file
from hub.plugin.wire import current_context, request_id
from plugins.xnet.dedup import answer_query
from plugins.xnet.registration import Registration, begin_registration, register, verify_files
from plugins.xnet.tickets import TicketScope, require_ticket
from plugins.xnet.uploads import receive_xorb
from plugins.xnet.wire import answer, blueprint, parse_hash

log = get_logger(__name__)

_MIB = 1024 * 1024
# Source: Xet contract, sections 6.1 and 6.4.
MAX_XORB_BODY_BYTES = 70 * _MIB
MAX_SHARD_BODY_BYTES = 80 * _MIB
MAX_TELEMETRY_BYTES = _MIB
# Each is handed over to other threads and awaited: smaller ones cost more than what is done with them.
_PIECE_BYTES = 2 * _MIB
# Clients give up on a stream that is silent for 300 s, and ask for a word every 20.
_HEARTBEAT_S = 5.0


def read_body(limit_bytes: int) -> Iterator[bytes]:
    """The request's body in pieces. Raises Invalid (``body_too_large``) at once, or as soon as there is more."""
    request.max_content_length = None
    too_large = Invalid(f"The body has more than {limit_bytes} bytes.", code="body_too_large")
    if (request.content_length or 0) > limit_bytes:
        raise too_large
    stream = request.stream

    def read() -> Iterator[bytes]:
        received_bytes = 0
        while piece := stream.read(_PIECE_BYTES):
            received_bytes += len(piece)
            if received_bytes > limit_bytes:
                raise too_large
            yield piece

    return read()


@blueprint.post("/v1/xorbs/<prefix>/<name>")
@blueprint.post("/xorbs/<prefix>/<name>")
@blueprint.post("/xorb/<prefix>/<name>")
def upload_xorb(prefix: str, name: str) -> Response:
    """Keep a xorb. The prefix means nothing: clients of different ages send different ones."""
    claims, actor = require_ticket(TicketScope.WRITE)
    is_new = receive_xorb(
        current_context(),
        actor=actor,
        repository_id=claims.repository_id,
        xorb_hash=parse_hash(name),
        chunks=read_body(MAX_XORB_BODY_BYTES),
    )
    return answer({"was_inserted": is_new})


@blueprint.post("/v1/shards")
@blueprint.post("/shards")
@blueprint.post("/shard/<prefix>/<name>")
def upload_shard(prefix: str = "", name: str = "") -> Response:
    """Make files of xorbs; the answer comes when all is done. The name that old clients give is not needed."""
    context = current_context()
    registration = _begin(context)
    for _ in verify_files(context, registration):
        pass
    return answer({"result": int(register(context, registration))})


@blueprint.post("/v2/shards")
def upload_shard_with_progress() -> Response:
    """The same, with a line for each step: hashing large files takes a while."""
    context = current_context()
    lines = _register_in_steps(context, _begin(context), request_id())
    response = Response(lines, mimetype="application/x-ndjson")
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _begin(context: Context) -> Registration:
    claims, actor = require_ticket(TicketScope.WRITE)
    with incoming_folder(context) as folder:
        path = folder / "shard"
        receive_file(path, read_body(MAX_SHARD_BODY_BYTES))
        return begin_registration(context, actor=actor, repository_id=claims.repository_id, path=path)


def _register_in_steps(context: Context, registration: Registration, asked_as: str) -> Iterator[bytes]:
    try:
        told_at, has_told = time.monotonic(), False
        for verified in verify_files(context, registration):
            if time.monotonic() - told_at >= _HEARTBEAT_S or not (has_told or registration.shard is None):
                yield _line(type="validating", verified=verified, total=registration.total_bytes)
                told_at, has_told = time.monotonic(), registration.shard is not None
        yield _line(type="committing", stage="syncing")
        register(context, registration)
        yield _line(type="result")
    except HubError as error:
        is_passing = isinstance(error, (Unavailable, RateLimited))
        yield _line(type="error", message=str(error), retryable=is_passing)
    except Exception:
        # The status has been sent; without a last word the client would not know what to tell.
        log.exception("shard_failed", request_id=asked_as)
        message = f"Something went wrong on our side. The log has it under request id {asked_as}."
        yield _line(type="error", message=message, retryable=True)


def _line(**members: Any) -> bytes:
    return json.dumps(members).encode() + b"\n"


@blueprint.get("/v1/chunks/<prefix>/<name>")
@blueprint.get("/chunks/<prefix>/<name>")
@blueprint.get("/chunk/<prefix>/<name>")
def find_chunk(prefix: str, name: str) -> Response:
    """What the hub has around a chunk, as far as the client may know."""
    claims, actor = require_ticket(TicketScope.READ)
    shard = answer_query(
        current_context(), actor=actor, repository_id=claims.repository_id, chunk_hash=parse_hash(name)
    )
    response = Response(shard, mimetype="application/octet-stream")
    response.headers["Cache-Control"] = "private, no-store"
    return response


@blueprint.post("/v1/telemetry")
def take_telemetry() -> Response:
    """Read what a client says of itself, and forget it."""
    require_ticket(TicketScope.READ)
    for _ in read_body(MAX_TELEMETRY_BYTES):
        pass
    return answer({})
