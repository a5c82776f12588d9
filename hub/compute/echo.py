"""The server behind the endpoints of the driver ``fake``: it says what it was asked.

Every process that uses the driver may serve it; all listen on the same port, so that an endpoint outlives each.
"""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MAX_BODY_BYTES = 64 * 1024


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def answer(self) -> None:
        try:
            length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES)
        except ValueError:
            length = 0
        body = self.rfile.read(max(length, 0))
        _, svc_name, *rest = self.path.split("/", 2)
        said = {
            "svc_name": svc_name,
            "method": self.command,
            "path": "/" + "".join(rest),
            "body": body.decode(errors="replace"),
        }
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the base class names them so

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: its log is nobody's."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    allow_reuse_port = True  # honoured from Python 3.12 on

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class Echo:
    """One process's share in the server. It begins when its address is first asked for."""

    def __init__(self, port_file: Path) -> None:
        self._port_file = port_file
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def address(self) -> str:
        """``http://127.0.0.1:PORT``, and this process answers there."""
        with self._lock:
            if self._server is None:
                self._server = self._listen()
                threading.Thread(target=self._server.serve_forever, args=(0.1,), name="fake-echo", daemon=True).start()
            return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _listen(self) -> _Server:
        try:
            return _Server(("127.0.0.1", int(self._port_file.read_text())), _Handler)
        except (OSError, ValueError):
            pass  # nobody has served yet, or somebody else has the port by now
        server = _Server(("127.0.0.1", 0), _Handler)
        self._port_file.parent.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(str(server.server_address[1]))
        return server

    def close(self) -> None:
        """Answer no more."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
