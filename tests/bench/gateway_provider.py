"""A provider of models that takes next to no time, in a process of its own: so what a gateway adds is seen.

``python -m tests.bench.gateway_provider PORT``. The first word of the path says how it answers: ``/plain/v1/...`` at
once and whole, ``/stream-K-MS/v1/...`` in K events of one token each, one every MS milliseconds; ``/counts`` tells the
tokens that it has reported so far. It has one loop and llhttp's parser, and answers many times what it is asked for.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import httptools

PROMPT, COMPLETION = 100, 64
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_reported = {"calls": 0, "prompt": 0, "completion": 0}


def _encode(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _usage(completion: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT, "completion_tokens": completion, "total_tokens": PROMPT + completion}


def _whole() -> bytes:
    message = {"role": "assistant", "content": " ".join(["word"] * COMPLETION)}
    body = {
        "id": "chatcmpl-7f3b9c",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": "small-v1",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(COMPLETION),
        "system_fingerprint": "fp_44709d6fcb",
    }
    data = _encode(body)
    return _HEAD % (len(data), data)


def _event(choices: list[Any], **more: Any) -> bytes:
    chunk = {
        "id": "chatcmpl-7f3b9c",
        "object": "chat.completion.chunk",
        "created": 1_780_000_000,
        "model": "small-v1",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": choices,
    }
    return _piece(b"data: " + _encode(chunk | more) + b"\n\n")


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _choice(delta: dict[str, Any], finish: str | None = None) -> list[Any]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


_WHOLE = _whole()
# Different ones: some gateways cut off whoever repeats a word.
_TOKENS = [_event(_choice({"content": f" {word}"})) for word in ("These", "are", "words", "that", "a", "model", "says")]
_FIRST = _STREAM_HEAD + _event(_choice({"role": "assistant", "content": "First"}))


def _last(tokens: int) -> bytes:
    ends = [_event(_choice({}, "stop")), _event([], usage=_usage(tokens)), _piece(b"data: [DONE]\n\n"), b"0\r\n\r\n"]
    return b"".join(ends)


class _Connection(asyncio.Protocol):
    """A connection, whose requests come one after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_open = False
        self._url = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._is_open = True

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_open = False

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        kind, *numbers = self._url.split(b"/", 2)[1].split(b"-")
        if kind == b"plain":
            _report(COMPLETION)
            self._transport.write(_WHOLE)
        elif kind == b"stream":
            tokens, pause_ms = int(numbers[0]), int(numbers[1])
            self._go_on(self._pieces(tokens), pause_ms / 1000)
        else:
            data = _encode(_reported)
            self._transport.write(_HEAD % (len(data), data))

    def _pieces(self, tokens: int) -> Iterator[bytes]:
        yield _FIRST
        yield from itertools.islice(itertools.cycle(_TOKENS), tokens - 1)
        _report(tokens)
        yield _last(tokens)

    def _go_on(self, pieces: Iterator[bytes], pause_s: float) -> None:
        """A piece now and the others in their turn, so that each of many streams gets its own."""
        piece = next(pieces, None) if self._is_open else None
        if piece is None:
            return
        self._transport.write(piece)
        if pause_s:
            self._loop.call_later(pause_s, self._go_on, pieces, pause_s)
        else:
            self._loop.call_soon(self._go_on, pieces, pause_s)


def _report(tokens: int) -> None:
    _reported["calls"] += 1
    _reported["prompt"] += PROMPT
    _reported["completion"] += tokens


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
