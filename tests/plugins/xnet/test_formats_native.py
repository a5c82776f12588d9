"""Xet's formats against the native library: what hf_xet sends is read, and what we answer is understood by it."""

import hashlib
import json
import random
import struct
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from plugins.xnet.formats.hashes import ZERO_HASH, file_hash, hash_from_text, hash_to_text, range_hash, tree_hash
from plugins.xnet.formats.shards import read_shard, write_dedup_shard
from plugins.xnet.formats.xorbs import decode_chunks, read_xorb
from tests.support.venvs import make_venv
from tests.support.xet_client import BG4_LZ4, LZ4, STORED, cut, nodes_of

UPLOAD = """
import sys, hf_xet
session = hf_xet.XetSession()
with session.new_upload_commit(endpoint=sys.argv[1], token="t", token_expiry_unix_secs=4000000000) as commit:
    for path in sys.argv[2:]:
        commit.start_upload_file(path)
"""
HASH = "import sys, json, hf_xet; print(json.dumps([found.hash for found in hf_xet.hash_files(sys.argv[1:])]))"


class Receiver(BaseHTTPRequestHandler):
    """Takes whatever is uploaded; answers every dedup query with the same bytes, if there are any."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(self.server.known) if self.server.known else self.answer(b"", 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind, name = self.path.split("/")[2], self.path.split("/")[-1]
        if not self.path.startswith("/v1/") or kind == "xorb-grants":
            self.answer(b"", 404)
            return
        self.server.bodies.setdefault(kind, []).append((name, body))
        self.answer(json.dumps({"was_inserted": True, "result": 1}).encode())

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nothing."""


@contextmanager
def receive(known=b""):
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.known, server.bodies = known, {}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files for each of the ways to store a chunk, one with one chunk many times, and an empty one."""
    chance = random.Random(3)
    contents = {
        "noise": chance.randbytes(400_000),
        "text": b"".join(b"line %d of many\n" % number for number in range(30_000)),
        "weights": b"".join(struct.pack("<f", chance.gauss(0, 0.02)) for _ in range(50_000)) + b"abc",
        "zeros": bytes(700_000),
        "small": b"x",
        "empty": b"",
    }
    directory = tmp_path_factory.mktemp("files")
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return {directory / name: content for name, content in contents.items()}


@pytest.fixture
def run(tmp_path):
    """``run(script, ...)``: run a script with hf_xet, which remembers nothing of the runs before; its output."""

    def start(script, *arguments):
        number = len(list(tmp_path.iterdir()))
        environment = {"HF_HOME": str(tmp_path / f"home{number}"), "HF_XET_LOG_DEST": str(tmp_path / f"log{number}")}
        command = [make_venv("csghub-sdk") / "bin" / "python", "-c", script, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout

    return start


def test_files_are_hashed_as_the_native_library_hashes_them(files, run):
    assert json.loads(run(HASH, *files)) == [
        hash_to_text(file_hash(nodes_of(cut(content)))) for content in files.values()
    ]


def test_what_the_native_client_uploads_is_read_and_our_dedup_answer_saves_its_next_upload(files, run):
    with receive() as server:
        run(UPLOAD, f"http://127.0.0.1:{server.server_port}", *files)
    [(name, body)] = server.bodies["xorbs"]
    xorb = read_xorb(body)
    assert hash_to_text(xorb.hash) == name
    assert xorb.stored_bytes == len(body)
    places = [xorb.chunks.stored_range(index, index + 1)[0] for index in range(len(xorb.chunks))]
    assert {body[place + 4] for place in places} == {STORED, LZ4, BG4_LZ4}

    [(_, listing)] = server.bodies["shards"]
    shard = read_shard(listing)
    [listed] = shard.xorbs
    assert listed.hash == xorb.hash
    assert [(chunk.hash, chunk.raw_length) for chunk in listed.chunks] == list(xorb.chunks.nodes())
    found = {file.sha256: file for file in shard.files}
    for content in files.values():
        file = found.pop(hashlib.sha256(content).hexdigest() if content else None)
        pieces, nodes = [], []
        assert file.verification is not None
        for term, proof in zip(file.terms, file.verification, strict=True):
            assert term.xorb == xorb.hash
            assert term.raw_length == xorb.chunks.raw_length(term.start, term.end)
            assert proof == range_hash(xorb.chunks.hashes(term.start, term.end))
            first, last = xorb.chunks.stored_range(term.start, term.end)
            pieces += decode_chunks(body[first:last])
            nodes += xorb.chunks.nodes(term.start, term.end)
        assert b"".join(pieces) == content
        assert file_hash(nodes) == file.hash
        assert (file.hash == ZERO_HASH) == (not content)
    assert not found

    answer = write_dedup_shard(
        [(xorb.hash, xorb.chunks)], hmac_key=bytes(range(1, 33)), created_at_s=1_700_000_000, expires_at_s=4_000_000_000
    )
    with receive(answer) as server:
        run(UPLOAD, f"http://127.0.0.1:{server.server_port}", *files)
    assert "xorbs" not in server.bodies
    [(_, listing)] = server.bodies["shards"]
    again = read_shard(listing)
    assert again.xorbs == []
    assert {term.xorb for file in again.files for term in file.terms} == {hash_from_text(name)}
    assert sorted(file.hash for file in again.files) == sorted(file.hash for file in shard.files)
    assert tree_hash(xorb.chunks.nodes()) == xorb.hash
