"""Server-sent events, as upstreams send them and clients read them. Source: gateway contract, section 1.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_EVENT_BYTES = 4 * 1024 * 1024
DONE = b"[DONE]"


class BrokenStream(Exception):
    """What comes is no stream of events, or one event has no end."""


class EventSplitter:
    """Makes events of bytes, however the network cut them."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines of each event that is whole now, without the empty line after it.

        An event that the stream's end cuts off is never given: half of one is no JSON. Raises BrokenStream.
        """
        rest = self._rest
        # Only what is new is looked at: the end of an event may begin with the last byte of what was there.
        seen = max(len(rest) - 1, 0)
        rest += piece
        # Nearly all servers end lines with "\n" alone; the others pay for it themselves.
        if b"\r" in piece or rest[seen : seen + 1] == b"\r":
            rest[seen:] = rest[seen:].replace(b"\r\n", b"\n")
            seen = max(seen - 1, 0)
        events = []
        end = rest.find(b"\n\n", seen)
        start = 0
        while end >= 0:
            if end > start:
                events.append(bytes(rest[start:end]))
            start = end + 2
            end = rest.find(b"\n\n", start)
        if start:
            del rest[:start]
        if len(rest) > MAX_EVENT_BYTES:
            raise BrokenStream
        return events


def split_events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The events of a stream one by one, as ``EventSplitter`` gives them. Raises BrokenStream."""
    splitter = EventSplitter()
    for piece in pieces:
        yield from splitter.feed(piece)


def data_of(event: bytes) -> bytes | None:
    """The data of an event; None for comments and the like."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
