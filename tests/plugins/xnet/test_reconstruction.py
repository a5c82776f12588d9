"""How ranges of files are put together, against a model that goes chunk by chunk."""

import itertools
import json
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.errors import RangeNotSatisfiable
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.formats.xorbs import PackedChunks
from plugins.xnet.reconstruction import (
    Piece,
    TermTable,
    locate_pieces,
    merge_runs,
    plan_range,
    write_files,
    write_first_form,
    write_second_form,
)


class Shelf:
    """Xorbs of small chunks, and the bytes that they hold; counts how often their chunks are asked for."""

    def __init__(self, seed, xorbs=3, chunks=6):
        chance = random.Random(seed)
        self.contents = {
            bytes([number]) * 32: [chance.randbytes(chance.randint(1, 9)) for _ in range(chunks)]
            for number in range(1, xorbs + 1)
        }
        self.packed = {
            name: PackedChunks.pack(
                [bytes([9]) * 32] * len(chunks), [len(c) for c in chunks], [len(c) + 8 for c in chunks]
            )
            for name, chunks in self.contents.items()
        }
        self.asked = []

    def load(self, hashes):
        self.asked.append(list(hashes))
        return {name: self.packed[name] for name in hashes}

    def table(self, runs):
        names = list(self.contents)
        blob = b""
        for number, start, end in runs:
            length = sum(len(chunk) for chunk in self.contents[names[number]][start:end])
            blob += TermTable.RECORD.pack(names[number], length, start, end)
        return TermTable(blob)

    def read(self, terms):
        return b"".join(b"".join(self.contents[term.xorb][term.start : term.end]) for term in terms)


RUNS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(1, 6)).filter(lambda run: run[1] < run[2]),
    min_size=1,
    max_size=8,
)


@given(seed=st.integers(0, 99), runs=RUNS, start=st.integers(0, 300), length=st.none() | st.integers(1, 300))
def test_any_range_of_any_file_is_what_the_model_says(seed, runs, start, length):
    shelf = Shelf(seed)
    table = shelf.table(runs)
    whole = shelf.read(table.slice(0, len(table)))
    assert table.size_bytes == len(whole)
    if start >= len(whole):
        with pytest.raises(RangeNotSatisfiable) as refusal:
            plan_range(table, shelf.load, start, length)
        assert refusal.value.details["size_bytes"] == len(whole)
        return
    stop = len(whole) if length is None else min(start + length, len(whole))
    plan = plan_range(table, shelf.load, start, length)
    terms = list(plan.terms())
    got = shelf.read(terms)
    assert got[plan.offset :][: stop - start] == whole[start:stop]
    # No whole chunk too many, at either end.
    assert plan.offset < len(shelf.contents[terms[0].xorb][terms[0].start])
    assert len(got) - plan.offset - (stop - start) < len(shelf.contents[terms[-1].xorb][terms[-1].end - 1])
    for term in terms:
        assert term.raw_length == len(shelf.read([term]))
        inside = [p for p in plan.pieces[term.xorb] if p.start <= term.start and term.end <= p.end]
        assert len(inside) == 1
    for name, pieces in plan.pieces.items():
        assert all(one.end < other.start for one, other in itertools.pairwise(pieces))
        used = {chunk for term in terms if term.xorb == name for chunk in range(term.start, term.end)}
        assert used == {chunk for piece in pieces for chunk in range(piece.start, piece.end)}
        for piece in pieces:
            sizes = [len(chunk) + 8 for chunk in shelf.contents[name]]
            assert (piece.first, piece.last) == (sum(sizes[: piece.start]), sum(sizes[: piece.end]) - 1)
    assert plan_range(table, shelf.load, start, length) == plan


def test_the_beginning_of_an_empty_file_is_there_and_nothing_else():
    shelf = Shelf(0)
    for length in (None, 1, 256):
        plan = plan_range(TermTable(b""), shelf.load, 0, length)
        assert json.loads(b"".join(write_first_form(plan, address))) == {
            "offset_into_first_range": 0,
            "terms": [],
            "fetch_info": {},
        }
    with pytest.raises(RangeNotSatisfiable):
        plan_range(TermTable(b""), shelf.load, 1)


def test_runs_that_overlap_or_touch_are_one():
    assert merge_runs({(4, 6), (0, 2), (2, 3), (1, 2), (5, 5000), (0, 1)}) == [(0, 3), (4, 5000)]


class Addresses:
    pieces_at_once = 2

    def __call__(self, xorb, pieces):
        return f"{xorb[0]}:" + ",".join(f"{piece.first}-{piece.last}" for piece in pieces)


address = Addresses()


def test_both_forms_say_the_same_in_their_own_words():
    shelf = Shelf(1)
    # A gap in the first xorb, repeated terms, and one that touches another.
    table = shelf.table([(0, 0, 2), (1, 2, 3), (0, 0, 2), (0, 4, 5), (0, 1, 3)])
    plan = plan_range(table, shelf.load)
    first = json.loads(b"".join(write_first_form(plan, address)))
    second = json.loads(b"".join(write_second_form(plan, address)))
    name, other = (hash_to_text(xorb) for xorb in list(shelf.contents)[:2])
    assert [(t["hash"], t["range"]["start"], t["range"]["end"]) for t in first["terms"]] == [
        (name, 0, 2),
        (other, 2, 3),
        (name, 0, 2),
        (name, 4, 5),
        (name, 1, 3),
    ]
    ends = [shelf.packed[bytes([1]) * 32].stored_range(0, chunk)[1] for chunk in range(7)]
    assert first["fetch_info"][name] == [
        {
            "range": {"start": 0, "end": 3},
            "url": f"1:0-{ends[3] - 1}",
            "url_range": {"start": 0, "end": ends[3] - 1},
        },
        {
            "range": {"start": 4, "end": 5},
            "url": f"1:{ends[4]}-{ends[5] - 1}",
            "url_range": {"start": ends[4], "end": ends[5] - 1},
        },
    ]
    assert second["xorbs"][name] == [
        {
            "url": f"1:0-{ends[3] - 1},{ends[4]}-{ends[5] - 1}",
            "ranges": [
                {"chunks": {"start": 0, "end": 3}, "bytes": {"start": 0, "end": ends[3] - 1}},
                {"chunks": {"start": 4, "end": 5}, "bytes": {"start": ends[4], "end": ends[5] - 1}},
            ],
        }
    ]
    address_for_one = Addresses()
    address_for_one.pieces_at_once = 1
    one_each = json.loads(b"".join(write_second_form(plan, address_for_one)))["xorbs"][name]
    assert [(entry["url"], len(entry["ranges"])) for entry in one_each] == [
        (entry["url"], 1) for entry in first["fetch_info"][name]
    ]
    del first["fetch_info"], second["xorbs"]
    assert first == second


def test_several_files_share_the_pieces_of_a_xorb():
    shelf = Shelf(2)
    plans = {
        name: plan_range(shelf.table(runs), shelf.load) for name, runs in {"a": [(0, 0, 2)], "b": [(0, 2, 4)]}.items()
    }
    answer = json.loads(b"".join(write_files(plans, locate_pieces(plans.values(), shelf.load), address)))
    assert [entry["range"] for entry in answer["fetch_info"][hash_to_text(bytes([1]) * 32)]] == [{"start": 0, "end": 4}]
    assert {name: [term["range"]["start"] for term in terms] for name, terms in answer["files"].items()} == {
        "a": [0],
        "b": [2],
    }


def test_chunks_of_many_xorbs_are_never_held_at_once():
    shelf = Shelf(3, xorbs=200, chunks=1)
    plan = plan_range(shelf.table([(number, 0, 1) for number in range(200)]), shelf.load)
    assert len(plan.pieces) == 200
    assert max(len(asked) for asked in shelf.asked) <= 32
    assert next(iter(plan.pieces.values())) == (Piece(0, 1, 0, len(shelf.contents[bytes([1]) * 32][0]) + 7),)


def test_where_terms_end_takes_eight_bytes_each():
    """One request for a range of a file asks for them all; a list of numbers takes ten times as much on the way."""
    table = TermTable(TermTable.RECORD.pack(bytes(32), 131072, 0, 1) * 100_000)
    tracemalloc.start()
    try:
        assert table.size_bytes == 131072 * 100_000
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000
