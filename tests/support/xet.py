"""Contents in chunks, made by hand: xorbs and files as a client would have sent them, without sending them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import lz4.frame
from flask import Flask
from flask.testing import FlaskClient

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.db.uow import unit_of_work
from hub.http import context as http_context
from hub.http import errors
from hub.objects.store import STORE
from hub.plugin.lfs import hold_contents
from tests.support.plugins import start_host

# The numbers of the schemes in the headers of chunks. Source: Xet contract, section 6.1.
STORED, LZ4, BG4_LZ4 = 0, 1, 2


def start_xnet(context: Context) -> Context:
    """The hub of a test, whose database has the plugin's tables, with the plugin running."""
    start_host(context, plugins="xnet")
    return context


def open_service(context: Context) -> FlaskClient:
    """Flask's test client on the CAS service alone: the whole application takes a second to make."""
    from plugins.xnet.plugin import XnetPlugin

    app = Flask("hub", static_folder=None)
    http_context.install(app, context)
    errors.install(app)
    for blueprint in XnetPlugin().web_blueprints():
        app.register_blueprint(blueprint)
    app.testing = True
    return app.test_client()


def pack_chunk(chunk: bytes, scheme: int = STORED) -> bytes:
    """A chunk as it is stored: its header and its payload."""
    payload = chunk
    if scheme == BG4_LZ4:
        payload = b"".join(chunk[group::4] for group in range(4))
    if scheme != STORED:
        payload = lz4.frame.compress(payload)
    header = len(payload) << 8, len(chunk) << 8 | scheme
    return b"".join(word.to_bytes(4, "little") for word in header) + payload


@dataclass(frozen=True)
class StoredFile:
    """A file that a test's hub has in chunks. hash: as clients write it."""

    content: bytes
    oid: str
    hash: str


def store_xorb(context: Context, chunks: Sequence[bytes], scheme: int = STORED) -> bytes:
    """Store a xorb and return its hash."""
    from plugins.xnet.formats.xorbs import read_xorb
    from plugins.xnet.models import Xorb
    from plugins.xnet.storage import xorb_key

    body = b"".join(pack_chunk(chunk, scheme) for chunk in chunks)
    xorb = read_xorb(body)
    context[STORE].put(xorb_key(xorb.hash), [body])
    with unit_of_work(context) as work:
        work.session.merge(
            Xorb(
                hash=xorb.hash,
                chunk_count=len(xorb.chunks),
                raw_bytes=xorb.raw_bytes,
                stored_bytes=xorb.stored_bytes,
                chunks=xorb.chunks.to_bytes(),
                created_at=work.now(),
                seen_at=work.now(),
            )
        )
    return xorb.hash


def store_file(context: Context, repository_id: int, runs: Sequence[tuple[bytes, int, int]]) -> StoredFile:
    """Put a file together from (xorb, first chunk, the one after the last), and let a repository hold it."""
    from plugins.xnet.formats.hashes import file_hash, hash_to_text
    from plugins.xnet.formats.shards import Term
    from plugins.xnet.models import File, FileXorb
    from plugins.xnet.reading import find_chunks, read_terms
    from plugins.xnet.reconstruction import TermTable

    packed = find_chunks(context, {xorb for xorb, _, _ in runs})
    terms = [Term(xorb, packed[xorb].raw_length(start, end), start, end) for xorb, start, end in runs]
    content = b"".join(read_terms(context, terms))
    name = file_hash([node for xorb, start, end in runs for node in packed[xorb].nodes(start, end)])
    oid = hashlib.sha256(content).hexdigest()
    with unit_of_work(context) as work:
        hold_contents(work, actor=SYSTEM, repository_id=repository_id, contents={oid: len(content)}, source="xnet")
        blob = b"".join(TermTable.RECORD.pack(*term) for term in terms)
        work.session.add(File(hash=name, oid=oid, size_bytes=len(content), terms=blob, created_at=work.now()))
        work.session.flush()
        work.session.add_all(FileXorb(file_hash=name, xorb_hash=xorb) for xorb in packed)
    return StoredFile(content, oid, hash_to_text(name))
