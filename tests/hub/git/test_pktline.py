"""Packet lines in any chunking, from friend and foe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.errors import Invalid
from hub.git.pktline import DELIM, FLUSH, MAX_DATA_BYTES, RESPONSE_END, Marker, PktLineReader, encode

packets = st.lists(st.one_of(st.binary(max_size=300), st.sampled_from(Marker)), max_size=20)


@given(packets=packets, cuts=st.lists(st.integers(1, 50), max_size=200), rest=st.binary(max_size=40))
def test_packets_come_out_as_they_went_in_however_the_wire_cuts_them(
    packets: list[bytes | Marker], cuts: list[int], rest: bytes
) -> None:
    wire = b"".join(encode(packet) for packet in packets) + encode(FLUSH) + rest
    reader, seen, at = PktLineReader(), list[bytes | Marker](), 0
    for cut in [*cuts, len(wire)]:
        reader.feed(wire[at : at + cut])
        at += cut
        while len(seen) <= len(packets) and (packet := reader.next_packet()) is not None:
            seen.append(packet)
    assert seen == [*packets, FLUSH]
    assert reader.take_rest() == rest
    reader.finish()


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_give_packets_or_a_clear_refusal(wire: bytes, step: int) -> None:
    reader, given_back = PktLineReader(), b""
    try:
        for at in range(0, len(wire), step):
            reader.feed(wire[at : at + step])
            for packet in reader:
                given_back += encode(packet)
    except Invalid as error:
        assert error.code == "pkt_line_invalid"
    else:
        assert (given_back + reader.take_rest()).lower() == wire.lower()


@pytest.mark.parametrize("wire", [b"0003", b"zzzz", b" 004", b"+005a", b"0x05", b"-001", b"fff1", b"\xd9\xa1\xd9\xa2"])
def test_a_length_that_is_none_is_refused(wire: bytes) -> None:
    reader = PktLineReader()
    reader.feed(wire)
    with pytest.raises(Invalid):
        reader.next_packet()


def test_the_longest_packet_passes_and_a_longer_one_does_not() -> None:
    reader = PktLineReader()
    reader.feed(encode(b"x" * MAX_DATA_BYTES))
    assert reader.next_packet() == b"x" * MAX_DATA_BYTES
    with pytest.raises(Invalid):
        encode(b"x" * (MAX_DATA_BYTES + 1))


def test_markers_and_the_empty_packet_are_told_apart() -> None:
    reader = PktLineReader()
    reader.feed(b"0000000100020004")
    assert list(reader) == [FLUSH, DELIM, RESPONSE_END, b""]


def test_an_end_inside_a_packet_is_refused() -> None:
    reader = PktLineReader()
    reader.feed(b"0008ab")
    assert reader.next_packet() is None
    with pytest.raises(Invalid):
        reader.finish()
