"""Xet's hashes and formats: the vectors of the contract, round trips, and every way in which a body can be wrong."""

import hashlib
import itertools
import mmap
import random
import struct

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.xnet.formats.hashes import (
    ZERO_HASH,
    chunk_hash,
    file_hash,
    hash_from_text,
    hash_to_text,
    hmac_hash,
    is_dedup_eligible,
    range_hash,
    tree_hash,
)
from plugins.xnet.formats.shards import MAX_ENTRIES, FormatError, read_shard, write_dedup_shard
from plugins.xnet.formats.trees import FileHasher
from plugins.xnet.formats.xorbs import MAX_CHUNK_BYTES, MAX_CHUNKS, PackedChunks, XorbReader, decode_chunks, read_xorb
from tests.support import xet_client as xet
from tests.support.xet_client import BG4_LZ4, LZ4, STORED, store

# Source of all vectors: Xet contract, section 4.3.
FIRST = "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6"
SECOND = "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72"
THIRD = "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37"
HELLO = "4e39378b9d359f118190557a1f44130219a54e5fcfa07bd96cf50b466fe651b1"


def nodes(*pairs):
    return [(hash_from_text(text), length) for text, length in pairs]


@pytest.mark.parametrize(
    ("given_nodes", "tree", "file"),
    [
        (
            nodes((FIRST, 100), (SECOND, 200), (THIRD, 300)),
            "71ec1275fca074724e2dd666921b3277c7cee603e4d025bcab2d4050015be2bc",
            "54e55dccc6653c612bdb5576c5d3cb34bb31bc4e100248abccf4c908b3ef7715",
        ),
        (
            nodes(*[(FIRST, 100)] * 4),
            "89f2ada89ff8c96763c6b25010e6dd76a4c05b1466207633ea559acf2093211b",
            "2cdba690d0e09563596e0cda626d43eb4c96ef1e994fe72d9b2f5a83cfcd36dd",
        ),
        (nodes((HELLO, 11)), HELLO, "f15edd43b7e85cfd25e2758ffe13b99fdd09dfa817e8d9f6548722a7a126db7f"),
        ([], "0" * 64, "0" * 64),
    ],
    ids=["three", "four", "one", "none"],
)
def test_hashes_of_trees_and_files(given_nodes, tree, file):
    assert hash_to_text(tree_hash(given_nodes)) == tree
    assert hash_to_text(file_hash(iter(given_nodes))) == file


def test_the_text_of_a_hash_turns_its_words_round():
    raw = bytes.fromhex("16af3a84044b83d6be998a42e20399f2cc5650eaf99950639f50418aece7954e")
    text = "d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f"
    assert (hash_to_text(raw), hash_from_text(text)) == (text, raw)
    for wrong in (text.upper(), text[:-1], text + "0", text[:-1] + "g", text[:-1] + "\n", "٠" * 64):
        with pytest.raises(ValueError, match="not a hash"):
            hash_from_text(wrong)


def test_hashes_of_chunks_and_ranges():
    raw = chunk_hash(b"hello world")
    assert hash_to_text(raw) == HELLO
    assert hash_to_text(range_hash(raw)) == "22ef2fdcff5cea306e42ad7e15ed8a0c5e789e7d2ec34658c10d2758946847da"
    assert hmac_hash(bytes(31) + b"1", raw) not in (raw, hmac_hash(bytes(31) + b"2", raw))
    assert is_dedup_eligible(bytes(24) + struct.pack("<Q", 5 * 1024))
    assert not is_dedup_eligible(bytes(24) + struct.pack("<Q", 5 * 512))


def test_a_file_is_cut_and_hashed_as_the_native_client_does():
    state, words = 1, []
    for _ in range(262_144):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        words.append(state >> 32)
    data = struct.pack("<262144I", *words)
    assert hashlib.sha256(data).hexdigest() == "3829caab2bb5085e147c556f5b28f801b4122cefce2c902176f80a29b2ae8f6f"
    chunks = xet.cut(data)
    lengths = "10536 62603 15850 40636 11221 82940 131072 29766 34284 36041 21661 39275 131072 99550 131072 10734 26331"
    assert [len(chunk) for chunk in chunks] == [*map(int, lengths.split()), 53469, 80463]
    found = xet.nodes_of(chunks)
    assert hash_to_text(found[0][0]) == "ca89110d996026e92a5829264debfdfceb158d422da0139ee50c385cf4dee32d"
    assert hash_to_text(tree_hash(found)) == "f5569207bb70c1e3708e3137c8da4db73e6953c684a7e414b9543dda128e212a"
    assert hash_to_text(file_hash(found)) == "75f5fd99da30912c2c896d1eacd3c3dd38c4233ce41596b41ab8033ad903c665"
    assert [len(chunk) for chunk in xet.cut(bytes(300_000))] == [131072, 131072, 37856]


def test_a_tree_is_what_the_definition_says_read_literally():
    def literally(level):
        while len(level) > 1:
            upper = []
            while level:
                size = min(9, len(level))
                if len(level) > 2:
                    last_words = [int.from_bytes(raw[24:], "little") for raw, _ in level[:size]]
                    size = next((at + 1 for at in range(2, size) if last_words[at] % 4 == 0), size)
                upper.append((tree_hash_of_group(level[:size]), sum(length for _, length in level[:size])))
                level = level[size:]
            level = upper
        return level[0][0]

    def tree_hash_of_group(group):
        import blake3

        key = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
        return blake3.blake3("".join(f"{hash_to_text(raw)} : {n}\n" for raw, n in group).encode(), key=key).digest()

    chance = random.Random(5)
    every = [(chance.randbytes(32), chance.randint(1, MAX_CHUNK_BYTES)) for _ in range(8192)]
    for size in (*range(1, 60), 8192):
        assert tree_hash(every[:size]) == literally(every[:size]), size
        # The same in batches of any size.
        hasher, start = FileHasher(), 0
        while start < size:
            batch = chance.choice([1, 2, 9, 1000])
            hasher.feed(every[start : min(start + batch, size)])
            start += batch
        assert hasher.digest() == file_hash(every[:size]), size
    assert FileHasher().digest() == ZERO_HASH


def make_chunks():
    chance = random.Random(1)
    return [
        *(chance.randbytes(length) for length in (1, 2, 3, 5, 8191, MAX_CHUNK_BYTES)),
        b"a line of text\n" * 4000 + b"x",
        b"".join(struct.pack("<f", chance.gauss(0, 0.02)) for _ in range(20_000)) + b"yz",
        bytes(MAX_CHUNK_BYTES),
    ]


@pytest.mark.parametrize("scheme", [STORED, LZ4, BG4_LZ4])
def test_a_xorb_is_read_whole(scheme):
    chunks = make_chunks()
    body = xet.pack_xorb(chunks, scheme)
    xorb = read_xorb(body)
    assert xorb.hash == tree_hash(xet.nodes_of(chunks))
    assert (xorb.raw_bytes, xorb.stored_bytes) == (sum(map(len, chunks)), len(body))
    assert list(decode_chunks(body)) == chunks
    packed = PackedChunks.from_bytes(xorb.chunks.to_bytes())
    assert packed == xorb.chunks
    assert len(packed.to_bytes()) == 40 * len(packed) == 40 * len(chunks)
    assert list(packed.nodes()) == xet.nodes_of(chunks)
    for start, end in itertools.combinations(range(len(chunks) + 1), 2):
        first, last = packed.stored_range(start, end)
        assert list(decode_chunks(memoryview(body)[first:last])) == chunks[start:end]
        assert packed.raw_length(start, end) == sum(map(len, chunks[start:end]))
        assert packed.hashes(start, end) == b"".join(map(chunk_hash, chunks[start:end]))
    assert packed.hash(3) == chunk_hash(chunks[3])
    for start, end in ((-1, 1), (2, 1), (0, len(chunks) + 1)):
        with pytest.raises(IndexError):
            packed.stored_range(start, end)


def read_in_pieces(body, length):
    reader = XorbReader()
    for start in range(0, len(body), length):
        reader.feed(body[start : start + length])
    return reader.finish()


@pytest.mark.parametrize("scheme", [xet.STORED, xet.LZ4, xet.BG4_LZ4])
def test_a_xorb_is_read_in_pieces_of_any_length(scheme):
    chunks = [b"x", *make_chunks()[:4], b"y" * 5]
    body = xet.pack_xorb(chunks, scheme)
    whole = body + xet.make_footer(chunks)
    for length in (1, 7, 8, 9, 1000, len(body) - 1, len(body), len(body) + 1):
        assert read_in_pieces(whole, length) == read_xorb(body)


@pytest.mark.parametrize("version", [0, 1])
def test_a_footer_of_older_clients_is_left_out(version):
    chunks = make_chunks()[:4]
    body = xet.pack_xorb(chunks)
    footer = xet.make_footer(chunks, version=version)
    for length in range(8, len(footer) + 1):
        xorb = read_xorb(body + footer[:length])
        assert (xorb.hash, xorb.stored_bytes) == (tree_hash(xet.nodes_of(chunks)), len(body))
    for length in range(1, 8):
        with pytest.raises(FormatError):
            read_xorb(body + footer[:length])
    with pytest.raises(FormatError):
        list(decode_chunks(body + footer))


compress = lz4.frame.compress


def boast(length):
    """The beginning of a frame that says that it holds so many bytes."""
    return lz4.frame.compress_begin(lz4.frame.create_compression_context(), source_size=length)


DATA = b"some data that is " * 500
FRAME = compress(DATA)
# What is wrong with a body, and the body.
BROKEN_XORBS = {
    "nothing": b"",
    "a header cut off": store(5, b"abcde", STORED) + bytes(7),
    "a payload cut off": store(5, b"abcde", STORED)[:-1],
    "another version": store(5, b"abcde", STORED, version=1),
    "another scheme": store(5, b"abcde", 3),
    "a chosen scheme": store(5, b"abcde", 99),
    "no bytes": store(0, b"", STORED),
    "a stored length that lies": store(6, b"abcde", STORED),
    "too large a chunk": store(MAX_CHUNK_BYTES + 1, bytes(MAX_CHUNK_BYTES + 1), STORED),
    "too large a chunk, compressed": store(MAX_CHUNK_BYTES + 1, compress(bytes(MAX_CHUNK_BYTES + 1)), LZ4),
    "too many chunks": store(1, b"x", STORED) * (MAX_CHUNKS + 1),
    "too many bytes": store(MAX_CHUNK_BYTES, compress(bytes(MAX_CHUNK_BYTES)), LZ4) * 513,
    "no frame": store(5, b"abcde", LZ4),
    "an empty frame": store(5, b"", LZ4),
    "a block without a frame": store(len(DATA), FRAME[15:], LZ4),
    "a frame that holds less": store(len(DATA) + 1, FRAME, LZ4),
    "a frame that holds more": store(len(DATA) - 1, FRAME, LZ4),
    "a frame that holds nothing": store(5, compress(b""), LZ4),
    "a frame that is padded": store(len(DATA), FRAME[:15] + b"\1\0\0\0\0" * 2000 + FRAME[15:], LZ4),
    "two frames": store(2 * len(DATA), FRAME * 2, LZ4),
    "bytes behind the frame": store(len(DATA), FRAME + b"x", LZ4),
    "a frame to be skipped": store(len(DATA), b"\x50\x2a\x4d\x18\0\0\0\0" + FRAME, LZ4),
    "a frame without its end": store(len(DATA), FRAME[:-4], LZ4),
    "a frame with a wrong checksum": store(len(DATA), compress(DATA, content_checksum=True)[:-1] + b"!", LZ4),
    "a bomb": store(MAX_CHUNK_BYTES, compress(bytes(30_000_000)), LZ4),
    "a bomb, regrouped": store(1, compress(bytes(30_000_000), store_size=False), BG4_LZ4),
    "a frame that boasts": store(len(DATA), boast(1 << 60) + FRAME[15:], LZ4),
}


@pytest.mark.parametrize("body", BROKEN_XORBS.values(), ids=BROKEN_XORBS)
def test_a_broken_xorb_is_refused(body, tmp_path):
    with pytest.raises(FormatError):
        read_xorb(body)
    with pytest.raises(FormatError):
        read_in_pieces(body, 3)
    if body:
        # The map can be closed although the error still knows where it happened.
        (tmp_path / "body").write_bytes(body)
        with (tmp_path / "body").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            with pytest.raises(FormatError) as caught:
                read_xorb(mapped)
            assert caught.tb is not None


@pytest.mark.parametrize(
    "options",
    [
        {"block_linked": False, "block_size": lz4.frame.BLOCKSIZE_MAX64KB, "block_checksum": True},
        {"block_linked": True, "block_size": lz4.frame.BLOCKSIZE_MAX4MB, "content_checksum": True},
        {"store_size": False, "compression_level": 12},
    ],
)
def test_every_kind_of_frame_is_read(options):
    chunks = [chunk for chunk in make_chunks() if len(chunk) > 8]
    body = b"".join(store(len(chunk), compress(chunk, **options), LZ4) for chunk in chunks)
    assert list(decode_chunks(body)) == chunks


@given(st.data())
def test_readers_say_what_is_wrong_with_anything(data):
    """Bodies with bytes changed, cut out, put in or repeated: FormatError, or else what was read is sound."""
    chunks = [b"abcdefgh" * 40, b"0123456789abc" * 30, bytes(range(256))]
    found = xet.nodes_of(chunks)
    xorb = tree_hash(found)
    schemes = data.draw(st.lists(st.sampled_from([STORED, LZ4, BG4_LZ4]), min_size=3, max_size=3))
    body = b"".join(xet.pack_xorb([chunk], scheme) for chunk, scheme in zip(chunks, schemes, strict=True))
    file = xet.file_record([(xorb, found, 0, 3), (xorb, found, 1, 2)], "ab" * 32)
    shard = xet.pack_shard([file, xet.file_record([(xorb, found, 0, 1)], None)], [xet.xorb_record(xorb, found)])
    for whole, read in ((body, check_xorb), (shard, check_shard)):
        broken = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, max(0, len(broken) - 1)))
            end = start + data.draw(st.sampled_from([0, 1, 2, 4, 8, 48, 96]))
            piece = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"\xff" * 8, bytes(8), b"XETBLOB"])))
            broken[start:end] = data.draw(st.sampled_from([piece, bytes(broken[start:end]) * 2, b""]))
        try:
            read(bytes(broken))
        except FormatError as error:
            assert str(error)


def check_xorb(body):
    xorb = read_xorb(body)
    decoded = list(decode_chunks(body[: xorb.stored_bytes]))
    assert xorb.hash == tree_hash(xet.nodes_of(decoded))


def check_shard(body):
    shard = read_shard(body)
    for file in shard.files:
        assert file.verification is None or len(file.verification) == len(file.terms)
        assert all(term.start < term.end for term in file.terms)
    for xorb in shard.xorbs:
        assert [chunk.offset for chunk in xorb.chunks] == [
            0,
            *itertools.accumulate(chunk.raw_length for chunk in xorb.chunks[:-1]),
        ]


XORB = bytes([7]) * 32
CHUNKS = [(bytes([number]) * 32, number) for number in range(1, 9)]
TERMS = [(XORB, CHUNKS, 0, 8), (XORB, CHUNKS, 2, 3), (XORB, CHUNKS, 0, 8)]


def test_a_shard_is_read():
    sha256 = hashlib.sha256(b"x").hexdigest()
    file = xet.file_record(TERMS, sha256)
    again = xet.file_record(TERMS, "cd" * 32)
    empty = xet.file_record([], "0" * 64)
    body = xet.pack_shard([empty, file, again], [xet.xorb_record(XORB, CHUNKS, flags=1 << 31)])
    # What older clients send behind the sections is not looked at.
    for shard in (read_shard(body), read_shard(memoryview(body + b"\1" * 333))):
        [first, second] = shard.files
        assert (first.hash, list(first.terms), first.sha256) == (ZERO_HASH, [], None)
        assert (second.hash, second.sha256) == (file_hash(CHUNKS + CHUNKS[2:3] + CHUNKS), sha256)
        assert [(term.xorb, term.start, term.end, term.raw_length) for term in second.terms] == [
            (XORB, 0, 8, 36),
            (XORB, 2, 3, 3),
            (XORB, 0, 8, 36),
        ]
        assert second.verification is not None
        assert second.verification[1] == range_hash(CHUNKS[2][0])
        [xorb] = shard.xorbs
        assert xorb.hash == XORB
        assert [(chunk.hash, chunk.raw_length) for chunk in xorb.chunks] == CHUNKS
        assert xorb.chunks[-1] == (CHUNKS[7][0], 28, 8, 1 << 31)
    assert read_shard(xet.pack_shard([], [])) == read_shard(xet.pack_shard([], []) + b"x")


def changed(body, at, form, *values):
    broken = bytearray(body)
    struct.pack_into(form, broken, at, *values)
    return bytes(broken)


FILE, LISTING = xet.file_record(TERMS, "ab" * 32), xet.xorb_record(XORB, CHUNKS)
SHARD = xet.pack_shard([FILE], [LISTING])
# Places in that shard: the file's header, its first term, the xorb's header and its first chunk.
AT_FILE, AT_TERM, AT_XORB, AT_CHUNK = 48, 96, 48 + len(FILE) + 48, 48 + len(FILE) + 96
BROKEN_SHARDS = {
    "nothing": b"",
    "another tag": b"X" + SHARD[1:],
    "another version": changed(SHARD, 32, "<Q", 3),
    "a file with more terms than there are": changed(SHARD, AT_FILE + 36, "<I", 0xFFFFFFFF),
    "a file with fewer": changed(SHARD, AT_FILE + 36, "<I", 1),
    "unknown flags": changed(SHARD, AT_FILE + 32, "<I", 7 << 29),
    "a term of no bytes": changed(SHARD, AT_TERM + 36, "<I", 0),
    "a term of no chunks": changed(SHARD, AT_TERM + 40, "<II", 3, 3),
    "a term of too many chunks": changed(SHARD, AT_TERM + 40, "<II", 0, MAX_CHUNKS + 1),
    "a term of too many bytes": changed(SHARD, AT_TERM + 36, "<I", (64 << 20) + 1),
    "a xorb with too many chunks": changed(SHARD, AT_XORB + 36, "<I", MAX_CHUNKS + 1),
    "a xorb with no chunks": changed(SHARD, AT_XORB + 36, "<I", 0),
    "a xorb with another length": changed(SHARD, AT_XORB + 40, "<I", 1),
    "a chunk elsewhere": changed(SHARD, AT_CHUNK + 32, "<I", 1),
    "a chunk too large": changed(SHARD, AT_CHUNK + 36, "<I", MAX_CHUNK_BYTES + 1),
    "half a bookend": changed(SHARD, AT_XORB - 1, "<B", 1),
    "half a second bookend": SHARD[:-1] + b"\1",
    "too many files": xet.pack_shard((struct.pack("<Q40x", number) for number in range(MAX_ENTRIES + 1)), []),
    "too many xorbs": xet.pack_shard([], [xet.xorb_record(XORB, CHUNKS[:1])] * (MAX_ENTRIES + 1)),
    "verification for some": xet.pack_shard([FILE, XORB + bytes(16)], []),
}


@pytest.mark.parametrize("body", BROKEN_SHARDS.values(), ids=BROKEN_SHARDS)
def test_a_broken_shard_is_refused(body):
    with pytest.raises(FormatError):
        read_shard(body)


def test_a_shard_that_is_cut_off_is_refused():
    for length in range(len(SHARD)):
        with pytest.raises(FormatError):
            read_shard(SHARD[:length])


def test_a_dedup_answer_is_a_shard_with_keyed_chunks():
    key = bytes(range(32))
    packed = PackedChunks.pack([raw for raw, _ in CHUNKS], [n for _, n in CHUNKS], [n + 8 for _, n in CHUNKS])
    body = write_dedup_shard([(XORB, packed), (XORB, packed)], hmac_key=key, created_at_s=5, expires_at_s=9)
    shard = read_shard(body)
    assert shard.files == []
    assert [xorb.hash for xorb in shard.xorbs] == [XORB, XORB]
    assert [(chunk.hash, chunk.raw_length) for chunk in shard.xorbs[1].chunks] == [
        (hmac_hash(key, raw), length) for raw, length in CHUNKS
    ]
    footer = struct.unpack("<9Q32sQQ6Q4Q", body[-200:])
    end = len(body) - 200
    assert footer == (1, 48, 96, end, 0, end, 0, end, 0, key, 5, 9, *[0] * 6, 200, 0, 72, end)
    assert body[end - 48 : end] == b"\xff" * 32 + bytes(16)
    assert struct.unpack_from("<Q", body, 40) == (200,)
