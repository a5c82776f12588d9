"""Git's packet lines: four hexadecimal digits of length, then the bytes.

Source: gitprotocol-common(5), section "pkt-line Format"; gitprotocol-v2(5) for the delimiter and the response end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from hub.base.errors import Invalid

MAX_PACKET_BYTES = 65520  # length digits included
MAX_DATA_BYTES = MAX_PACKET_BYTES - 4

_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")


class Marker(Enum):
    """The packets that carry no bytes."""

    FLUSH = b"0000"
    DELIM = b"0001"
    RESPONSE_END = b"0002"


FLUSH = Marker.FLUSH
DELIM = Marker.DELIM
RESPONSE_END = Marker.RESPONSE_END

_MARKERS = {int(marker.value, 16): marker for marker in Marker}


def encode(packet: bytes | Marker) -> bytes:
    """The packet as it goes over the wire. Raises Invalid (code ``pkt_line_invalid``) for more than 65,516 bytes."""
    if isinstance(packet, Marker):
        return packet.value
    if len(packet) > MAX_DATA_BYTES:
        raise Invalid(f"A packet line holds at most {MAX_DATA_BYTES} bytes.", code="pkt_line_invalid")
    return b"%04x%s" % (len(packet) + 4, packet)


class PktLineReader:
    """Takes the wire's bytes in any pieces and gives the packets that are whole.

    It looks no further than it is asked: after the packet that ends a protocol's text, ``take_rest`` hands over
    the raw bytes (a pack) that came behind it. Memory stays below what was fed and one packet.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the wire."""
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next_packet(self) -> bytes | Marker | None:
        """The next packet; None: more bytes are needed. Raises Invalid (code ``pkt_line_invalid``)."""
        start, have = self._start, len(self._buffer) - self._start
        if have < 4:
            return None
        digits = bytes(self._buffer[start : start + 4])
        if not _LENGTH.fullmatch(digits):
            raise Invalid("A packet line does not begin with its length.", code="pkt_line_invalid")
        length = int(digits, 16)
        if length in _MARKERS:
            self._start += 4
            return _MARKERS[length]
        if length < 4 or length > MAX_PACKET_BYTES:
            raise Invalid("A packet line's length is out of bounds.", code="pkt_line_invalid")
        if have < length:
            return None
        self._start += length
        return bytes(self._buffer[start + 4 : start + length])

    def __iter__(self) -> Iterator[bytes | Marker]:
        """The packets that are whole by now."""
        while (packet := self.next_packet()) is not None:
            yield packet

    def take_rest(self) -> bytes:
        """The bytes behind the last packet given, which the reader then forgets."""
        rest = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = 0
        return rest

    def finish(self) -> None:
        """Say that the wire has ended. Raises Invalid (code ``pkt_line_invalid``) when it cut a packet."""
        if len(self._buffer) != self._start:
            raise Invalid("The data ends inside a packet line.", code="pkt_line_invalid")
