"""Downloads from the CAS service: how files are put together, and the bytes of xorbs.

Source: Xet contract, section 7.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from flask import Response, request
from sqlalchemy import func, select

from hub.plugin import Actor, Context
from hub.plugin.api import current_context
from hub.plugin.db import reading
from hub.plugin.errors import Invalid, NotFound
from hub.plugin.lfs import holds_contents
from hub.plugin.objects import get_store
from hub.plugin.ranges import Content, send_part
from hub.plugin.repos import get_readable, require_content
from hub.plugin.wire import count_downloads
from plugins.xnet.fetching import AddressMaker, Span, asked_spans, read_address
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.models import File
from plugins.xnet.reading import find_chunks
from plugins.xnet.reconstruction import (
    MakeAddress,
    Plan,
    TermTable,
    locate_pieces,
    plan_range,
    write_files,
    write_first_form,
    write_second_form,
)
from plugins.xnet.storage import xorb_key
from plugins.xnet.tickets import Claims, TicketScope, require_ticket
from plugins.xnet.wire import blueprint, parse_hash

_EMPTY = bytes(32)
_MAX_FILES = 100
# Of several files at once. A single one has no more than a shard can hold.
_MAX_TERMS_BYTES = 16 * 1024 * 1024
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?\Z", re.ASCII)


@blueprint.get("/v1/reconstructions/<name>")
@blueprint.get("/reconstructions/<name>")
@blueprint.get("/reconstruction/<name>")
def show_reconstruction(name: str) -> Response:
    """How a file, or a range of it, is put together."""
    return _answer_one(name, write_first_form)


@blueprint.get("/v2/reconstructions/<name>")
def show_reconstruction_in_ranges(name: str) -> Response:
    """The same, with addresses that serve several ranges each."""
    return _answer_one(name, write_second_form)


@blueprint.get("/v1/reconstructions")
def show_reconstructions() -> Response:
    """How several files are put together; those that the repository does not hold are left out."""
    claims, actor = require_ticket(TicketScope.READ)
    names = list(dict.fromkeys(request.args.getlist("file_id")))
    if not 0 < len(names) <= _MAX_FILES:
        raise Invalid(f"Name 1 to {_MAX_FILES} files by 'file_id'.", code="file_id_invalid")
    context = current_context()
    files = find_files(context, claims, actor, [parse_hash(name) for name in names])
    load = partial(find_chunks, context)
    plans = {hash_to_text(file_hash): plan_range(file.table, load) for file_hash, file in files.items()}
    count_downloads(actor, claims.repository_id, [file.oid for file in files.values() if file.oid])
    body = write_files(plans, locate_pieces(plans.values(), load), AddressMaker(context, claims.base_url))
    return _stream(body)


def _answer_one(name: str, write: Callable[[Plan, MakeAddress], Iterator[bytes]]) -> Response:
    claims, actor = require_ticket(TicketScope.READ)
    context = current_context()
    file_hash = parse_hash(name)
    file = find_files(context, claims, actor, [file_hash]).get(file_hash)
    if file is None:
        raise NotFound("The repository has no such file.", code="file_not_found")
    start, length = _asked_range()
    plan = plan_range(file.table, partial(find_chunks, context), start, length)
    # A large file is asked for in several ranges, from the first byte on.
    if file.oid and start == 0:
        count_downloads(actor, claims.repository_id, [file.oid])
    return _stream(write(plan, AddressMaker(context, claims.base_url)))


def _asked_range() -> tuple[int, int | None]:
    """(start, length) that the request asks for; all of it where its header cannot be understood, as elsewhere."""
    match = _RANGE.match(request.headers.get("Range", "").strip())
    if match is None:
        return 0, None
    start = int(match[1])
    if match[2] is None:
        return start, None
    return (start, int(match[2]) + 1 - start) if int(match[2]) >= start else (0, None)


def _stream(body: Iterator[bytes]) -> Response:
    # What can go wrong has gone wrong before the first byte: the body is only written out.
    return Response(body, mimetype="application/json")


@dataclass(frozen=True)
class HeldFile:
    """A file that a repository holds. oid: "" for the one without a byte."""

    oid: str
    table: TermTable


def find_files(context: Context, claims: Claims, actor: Actor, file_hashes: Sequence[bytes]) -> dict[bytes, HeldFile]:
    """Those files that the ticket's repository holds, in the order asked for.

    Raises NotFound, NotSignedIn, Denied when the actor may no longer read the repository's content; Invalid
    (``too_many_pieces``).
    """
    with reading(context) as work:
        require_content(work, actor, get_readable(work, actor=actor, repository_id=claims.repository_id))
        sizes = select(File.hash, File.oid, func.length(File.terms).label("size")).where(File.hash.in_(file_hashes))
        rows = work.session.execute(sizes).all()
        held = holds_contents(work, claims.repository_id, [row.oid for row in rows], actor=actor)
        rows = [row for row in rows if row.oid in held]
        if len(rows) > 1 and sum(row.size for row in rows) > _MAX_TERMS_BYTES:
            raise Invalid("These files have too many pieces to be asked for at once.", code="too_many_pieces")
        terms = select(File.hash, File.oid, File.terms).where(File.hash.in_([row.hash for row in rows]))
        found = {row.hash: HeldFile(row.oid, TermTable(row.terms)) for row in work.session.execute(terms)}
    # Nobody has to hold nothing.
    found[_EMPTY] = HeldFile("", TermTable(b""))
    return {file_hash: found[file_hash] for file_hash in file_hashes if file_hash in found}


@blueprint.get("/v1/fetch/<name>")
def fetch_xorb(name: str) -> Response:
    """Bytes of a xorb, for who was given the address: no ticket is asked for."""
    context = current_context()
    xorb = parse_hash(name)
    allowed = read_address(context, name, request.args)
    store, key = get_store(context), xorb_key(xorb)
    found = store.find(key)
    if found is None:
        raise NotFound("There is no such xorb.", code="xorb_not_found")
    content = Content(
        found.size_bytes, name, lambda start, length: store.open_range(key, start, length), store.local_path(key)
    )
    spans = asked_spans(request.headers.get("Range", ""), allowed, found.size_bytes)
    if len(spans) > 1:
        return _send_parts(content, spans)
    # The header is not read again: another reading of it could send what the address does not allow.
    [(first, last)] = spans
    return send_part(content, first, last + 1 - first)


def _send_parts(content: Content, spans: Sequence[Span]) -> Response:
    """Several ranges in one answer. Source: RFC 9110, section 14.6."""
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Range: bytes {first}-{last}/{content.size_bytes}\r\n\r\n".encode()
        for first, last in spans
    ]
    end = f"\r\n--{boundary}--\r\n".encode()

    def write() -> Iterator[bytes]:
        for head, (first, last) in zip(heads, spans, strict=True):
            yield head
            yield from content.open_range(first, last + 1 - first)
        yield end

    response = Response(write(), status=206, mimetype=f"multipart/byteranges; boundary={boundary}")
    response.content_length = (
        sum(len(head) for head in heads) + sum(last + 1 - first for first, last in spans) + len(end)
    )
    response.direct_passthrough = True
    return response
