"""A CAS service that takes whatever comes and keeps nothing: so what Xet's client costs by itself is seen.

``python -m tests.bench.xet_sink PORT``. It reads each body to its end into the same memory and answers as one that had
never seen such a thing; of the questions that may be answered by 404, it answers all so.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import Any

_PIECE_BYTES = 1024 * 1024
# By a part of the path, the answer; others are unknown here.
_ANSWERS: dict[str, Any] = {"/v1/xorbs/": {"was_inserted": True}, "/v1/shards": {"result": 1}, "/v1/telemetry": {}}

_ANSWER = "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"


def answer_requests(connection: socket.socket) -> None:
    """Answer one request after the other, until the client goes."""
    begun, memory = b"", bytearray(_PIECE_BYTES)
    with connection:
        while True:
            while b"\r\n\r\n" not in begun:
                piece = connection.recv(_PIECE_BYTES)
                if not piece:
                    return
                begun += piece
            head, _, begun = begun.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            left = int(headers.get("content-length", 0))
            left, begun = left - min(left, len(begun)), begun[left:]
            while left > 0:
                count = connection.recv_into(memory, min(left, _PIECE_BYTES))
                if not count:
                    return
                left -= count
            found = next((body for part, body in _ANSWERS.items() if part in first), None)
            status, body = ("404 Not Found", {}) if found is None else ("200 OK", found)
            connection.sendall(
                _ANSWER.format(status=status, length=len(json.dumps(body)), body=json.dumps(body)).encode()
            )


def main() -> None:
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer_requests, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
