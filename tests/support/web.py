"""``python -m tests.support.web``: the hub's web server around a small application of the tests'.

Settings come from ``HUB_*`` variables; ``TEST_DIRECTORY`` holds the files that it sends and reports to.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hub.base import log
from hub.base.settings import load
from hub.http.server import serve

# Gunicorn's own: a worker that ends with it ends the server.
_APP_LOAD_ERROR = 4

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Noted:
    """An endless body that notes its own end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    def close(self) -> None:
        """What a server must call, come what may."""
        self._path.touch()


def load_app(_ask_reload: Callable[[], None]) -> Callable[[dict[str, Any], StartResponse], Any]:
    """The application: ``/file`` sends, ``/upload`` digests, ``/endless`` never ends, ``/wait`` waits for a file.

    Its start lasts for as long as there is a file ``hold``, and fails where there is one ``broken``.
    """
    directory = Path(os.environ["TEST_DIRECTORY"])
    with (directory / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    while (directory / "hold").exists():
        threading.Event().wait(0.02)
    if (directory / "broken").exists():
        sys.exit(_APP_LOAD_ERROR)

    def text(start: StartResponse, body: str, status: str = "200 OK") -> list[bytes]:
        start(status, [("Content-Length", str(len(body)))])
        return [body.encode()]

    def send_file(environ: dict[str, Any], start: StartResponse) -> Any:
        stream = (directory / "file").open("rb")
        first, _, promised = environ["QUERY_STRING"].partition("-")
        stream.seek(int(first or 0))
        length = int(promised) if promised else os.fstat(stream.fileno()).st_size - stream.tell()
        start("200 OK", [("Content-Length", str(length))])
        return environ["hub.sendfile"](stream, length)

    def upload(environ: dict[str, Any], start: StartResponse) -> Any:
        piece_bytes = int(environ["QUERY_STRING"] or 1 << 20)
        digest, size = hashlib.sha256(), 0
        try:
            while piece := environ["wsgi.input"].read(piece_bytes):
                digest.update(piece)
                size += len(piece)
        except Exception as error:
            (directory / f"failed-{type(error).__name__}").touch()
            return text(start, type(error).__name__, "400 Bad Request")
        return text(start, f"{size} {digest.hexdigest()}")

    def wait(environ: dict[str, Any], start: StartResponse) -> Iterator[bytes]:
        start("200 OK", [("Content-Length", "2")])
        yield b"o"
        (directory / "waiting").touch()
        while not (directory / "go").exists():
            threading.Event().wait(0.02)
        yield b"k"

    def app(environ: dict[str, Any], start: StartResponse) -> Any:
        match environ["PATH_INFO"]:
            case "/file":
                return send_file(environ, start)
            case "/upload":
                return upload(environ, start)
            case "/line":
                return text(start, environ["wsgi.input"].readline().decode())
            case "/wait":
                return wait(environ, start)
            case "/endless":
                start("200 OK", [])
                return _Noted(directory / "closed")
            case "/unread":
                return text(start, "not read", "403 Forbidden")
        return text(start, str(os.getpid()))

    return app


if __name__ == "__main__":
    log.configure(level="warning")
    serve(load().settings, load_app)
