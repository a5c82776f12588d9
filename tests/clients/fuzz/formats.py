"""What atheris runs, in its own environment: readers of Xet's formats, to which strangers may send anything."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["plugins.xnet.formats"]):
    from plugins.xnet.formats.hashes import tree_hash
    from plugins.xnet.formats.shards import FormatError, read_shard
    from plugins.xnet.formats.xorbs import decode_chunks, read_xorb
    from tests.support.xet_client import nodes_of


def try_one(data: bytes) -> None:
    """Read a body, of the kind that its first byte says: FormatError, or what was read holds together."""
    kind, body = data[:1], data[1:]
    try:
        if kind == b"s":
            shard = read_shard(body)
            for file in shard.files:
                assert all(term.start < term.end for term in file.terms)
                assert file.verification is None or len(file.verification) == len(file.terms)
            for listed in shard.xorbs:
                assert sum(chunk.raw_length for chunk in listed.chunks) <= 64 << 20
        else:
            xorb = read_xorb(body)
            assert tree_hash(nodes_of(decode_chunks(body[: xorb.stored_bytes]))) == xorb.hash
    except FormatError:
        pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
