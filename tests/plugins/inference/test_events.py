"""Streams of events, however they are cut."""

import time

import pytest

from plugins.inference.gateway.events import MAX_EVENT_BYTES, BrokenStream, data_of, split_events

STREAM = ': hi\n\ndata: {"a": "ö"}\n\nevent: x\ndata: 1\ndata: 2\n\ndata: [DONE]\n\n'.encode()
EVENTS = [b": hi", 'data: {"a": "ö"}'.encode(), b"event: x\ndata: 1\ndata: 2", b"data: [DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_events_are_the_same_however_the_network_cuts_them(size, end):
    stream = STREAM.replace(b"\n", end)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert list(split_events(pieces)) == EVENTS
    assert [data_of(event) for event in EVENTS] == [None, EVENTS[1][6:], b"1\n2", b"[DONE]"]


def test_half_an_event_is_none_and_one_without_an_end_is_refused_in_time():
    assert list(split_events([b"data: 1\n\ndata: ha"])) == [b"data: 1"]
    began = time.process_time()
    with pytest.raises(BrokenStream):
        list(split_events(b"x" * 64 for _ in range(MAX_EVENT_BYTES // 64 + 1)))
    # Were each piece to copy what was there before, this would take minutes.
    assert time.process_time() - began < 20
