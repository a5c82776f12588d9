"""Questions and answers between the hub's processes and the supervisor: JSON lines over a Unix socket."""

from __future__ import annotations

import json
import os
import selectors
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.base.errors import Conflict, Failed, HubError, Invalid, Unavailable
from hub.base.log import get_logger
from hub.compute.local.places import peer_of, socket_address
from hub.compute.local.waiting import SOCKET_VARIABLE, listen

log = get_logger(__name__)

# A specification may hold 1 MiB of arguments and variables, which JSON may write six times as long.
MAX_LINE_BYTES = 16 * 1024 * 1024
_MAX_CONNECTIONS = 256
_READ_BYTES = 256 * 1024
_ERRORS = {cls.__name__: cls for cls in (Invalid, Conflict, Unavailable, Failed)}

Handler = Callable[[str, dict[str, Any]], Any]


class Server:
    """The supervisor's end. Only processes of the same user, or of root, are answered."""

    def __init__(self, selector: selectors.BaseSelector, root: Path, handle: Handler) -> None:
        self._selector = selector
        self._handle = handle
        self._connections: dict[socket.socket, _Connection] = {}
        inherited = os.environ.pop(SOCKET_VARIABLE, "")
        self._socket = socket.socket(fileno=int(inherited)) if inherited else listen(str(root))
        self._socket.setblocking(False)
        self._socket.set_inheritable(False)
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Hang up."""
        for connection in list(self._connections.values()):
            connection.close()
        self._selector.unregister(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        peer = peer_of(connection)
        if peer not in (os.geteuid(), 0):
            log.warning("compute_peer_refused", uid=peer)
            connection.close()
            return
        if len(self._connections) >= _MAX_CONNECTIONS:
            next(iter(self._connections.values())).close()
        connection.setblocking(False)
        self._connections[connection] = _Connection(self._selector, connection, self._answer, self._connections.pop)

    def _answer(self, line: bytes) -> bytes:
        try:
            try:
                question = json.loads(line)
                call, arguments = question["call"], question["arguments"]
                if not isinstance(call, str) or not isinstance(arguments, dict):
                    raise TypeError
            except (ValueError, KeyError, TypeError, RecursionError):
                raise Invalid("This is no question.", code="call_invalid") from None
            answer = {"result": self._handle(call, arguments)}
        except HubError as error:
            kind = next((cls.__name__ for cls in type(error).__mro__ if cls.__name__ in _ERRORS), "Failed")
            answer = {"error": {"kind": kind, "code": error.code, "message": str(error), "details": error.details}}
        except Exception:
            log.exception("compute_call_failed")
            answer = {"error": {"kind": "Failed", "code": "compute_failed", "message": "The supervisor has failed."}}
        return json.dumps(answer, default=str).encode() + b"\n"


class _Connection:
    def __init__(
        self,
        selector: selectors.BaseSelector,
        connection: socket.socket,
        answer: Callable[[bytes], bytes],
        forget: Callable[[socket.socket], object],
    ) -> None:
        self._selector = selector
        self._socket = connection
        self._answer = answer
        self._forget = forget
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._is_closed = False
        selector.register(connection, selectors.EVENT_READ, self._turn)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._selector.unregister(self._socket)
            self._socket.close()
            self._forget(self._socket)

    def _turn(self) -> None:
        if self._is_closed:  # in this very turn of the loop
            return
        try:
            if self._outgoing:
                self._write()
            else:
                self._read()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _read(self) -> None:
        data = self._socket.recv(_READ_BYTES)
        self._incoming += data
        if not data or len(self._incoming) > MAX_LINE_BYTES:
            self.close()
            return
        if b"\n" in data:
            *lines, rest = bytes(self._incoming).split(b"\n")
            self._incoming = bytearray(rest)
            for line in lines:
                self._outgoing += self._answer(line)
            self._selector.modify(self._socket, selectors.EVENT_WRITE, self._turn)

    def _write(self) -> None:
        del self._outgoing[: self._socket.send(self._outgoing)]
        if not self._outgoing:
            self._selector.modify(self._socket, selectors.EVENT_READ, self._turn)


def call(root: Path, name: str, arguments: dict[str, Any], *, timeout_s: float) -> Any:
    """Ask the supervisor of a home, and return its answer.

    Raises Unavailable (``compute_unavailable``) when it does not answer, and what it has raised itself.
    """
    line = json.dumps({"call": name, "arguments": arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            with socket_address(root) as address:
                connection.connect(address)
            connection.sendall(line)
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise Unavailable(
            "The supervisor of workloads does not answer; it is a part of `hub serve`, and `hub supervisor` alone.",
            code="compute_unavailable",
        ) from error
    if "error" in answer:
        told = answer["error"]
        raise _ERRORS.get(told["kind"], Failed)(told["message"], code=told["code"], **told.get("details", {}))
    return answer["result"]
