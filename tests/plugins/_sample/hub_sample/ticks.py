"""A stream beside Flask: one line for each of five notes, as they are counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.plugin import Context
from hub_sample.service import NoteCounter

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def create_ticks(context: Context) -> WSGIApplication:
    """The application for one process."""

    def tick(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return (f"{NoteCounter(context).count()}\n".encode() for _ in range(5))

    return tick
