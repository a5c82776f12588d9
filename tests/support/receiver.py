"""A web server of the tests' own, which is told things: it keeps what it gets and answers what it was told to."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.processes import wait_until


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature is that of the body with this secret, worked out anew."""
        digest = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return self.headers.get("X-Hub-Signature-256") == f"sha256={digest}"


class Receiver:
    """An HTTP server on a free loopback port, while the block lasts.

    answers: for each request in turn a status, or a function that writes the answer itself; then always 200.
    tls: makes it an HTTPS server.
    """

    def __init__(self, *answers: int | Callable[[BaseHTTPRequestHandler], None], tls: ssl.SSLContext | None = None):
        self.received: list[Received] = []
        self.answers = deque(answers)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.received.append(Received(self.command, self.path, dict(self.headers.items()), body))
                answer = receiver.answers.popleft() if receiver.answers else 200
                if callable(answer):
                    answer(self)
                    return
                self.send_response(answer)
                self.send_header("X-Answer", "yes")
                self.end_headers()
                self.wfile.write(b"thank you")

            do_GET = do_POST  # noqa: N815 - as http.server calls it

            def log_message(self, *_: Any) -> None:
                """Nothing: what matters is kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients of these tests hang up
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def wait(self, count: int, *, timeout_s: float = 60) -> list[Received]:
        """What came, once there are so many."""
        wait_until(lambda: len(self.received) >= count, timeout_s=timeout_s, what=f"{count} requests to the receiver")
        return self.received

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
