"""Server-sent events: answers that go on as long as there is something to tell and somebody who listens.

Who writes one gives an iterator of events in which None says that there was nothing for a moment; then, now and then,
a sign of life is sent, by which it is known that the listener has gone: the iterator is closed, and nothing of it is
left. It waits by ``time.sleep``, by which other requests of the process are served meanwhile.
Source: HTML standard, section 9.2.6; names of events: compute contract, 1.7 and 4.5.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response

from hub.base.context import Context
from hub.base.errors import HubError
from hub.base.log import get_logger
from hub.compute.reports import LogLine
from hub.compute.service.polling import follow_workload

log = get_logger(__name__)

KEEP_ALIVE_S = 15.0
# Then the listener asks again: what it may see is judged anew, and a server that is replaced is not held up.
MAX_S = 3600.0
# What a browser waits before it does.
RETRY_MS = 3000


@dataclass(frozen=True)
class Event:
    """One event. data: a text, or what becomes JSON. id: what the listener names when it asks again."""

    data: Any
    name: str = ""
    id: str = ""

    def encode(self) -> bytes:
        """As it goes over the wire. No text of a stranger ends it early or makes another."""
        text = self.data if isinstance(self.data, str) else json.dumps(self.data)
        lines = [f"{field}: {_one_line(value)}" for field, value in (("id", self.id), ("event", self.name)) if value]
        # All that the standard takes for the end of a line.
        lines += [f"data: {line}" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ").replace("\0", "")


def stream_events(
    events: Iterator[Event | None], *, keep_alive: Event | None = None, keep_alive_s: float = KEEP_ALIVE_S
) -> Response:
    """The answer. events: closed when the listener goes, at its end, or after an hour.

    keep_alive: what is sent after a while without events; None: a comment, which no listener sees. What the events
    raise is told by an event ``error`` and ends the stream.
    """
    response = Response(_write(events, keep_alive, keep_alive_s), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx hands it on as it comes
    return response


def _write(events: Iterator[Event | None], keep_alive: Event | None, keep_alive_s: float) -> Iterator[bytes]:
    alive = b": keep-alive\n\n" if keep_alive is None else keep_alive.encode()
    began = told = time.monotonic()
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        for event in events:
            now = time.monotonic()
            if event is not None:
                told = now
                yield event.encode()
            elif now - told >= keep_alive_s:
                told = now
                yield alive
            if now - began >= MAX_S:
                return
    except HubError as error:
        yield Event({"code": error.code, "message": str(error)}, "error").encode()
    except Exception:
        log.exception("event_stream_failed")
        yield Event({"code": "failed", "message": "Something broke on the hub's side."}, "error").encode()
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


def stream_status(context: Context, *, workload_id: int) -> Response:
    """How a workload stands, as events ``status``: at once, and whenever it changes.

    For whoever was allowed to see it. The driver and the database are asked once a second at most in this process,
    however many listen. Source: compute contract, 1.7.
    """

    def tell() -> Iterator[Event | None]:
        for seen in follow_workload(context, workload_id=workload_id):
            yield None if seen is None else Event(seen.as_json(), "status")

    return stream_events(tell())


def stream_logs(lines: Iterator[LogLine | None], *, name: str = "Container") -> Response:
    """What a workload prints, as ``service.polling.read_logs`` gives it. name: of the events.

    Every 30 seconds without a line an event ``Heartbeat`` is sent. What cannot be read is refused before the answer
    begins. Source: compute contract, 4.5.
    """
    first = next(lines, _END)

    def tell() -> Iterator[Event | None]:
        try:
            line = first
            while not isinstance(line, _End):
                yield None if line is None else Event(line.text, name)
                line = next(lines, _END)
        finally:
            close = getattr(lines, "close", None)
            if close is not None:
                close()

    return stream_events(tell(), keep_alive=Event("keep-alive", "Heartbeat"), keep_alive_s=30.0)


class _End:
    """That there is no further line."""


_END = _End()
