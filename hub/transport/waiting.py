"""What ``hub serve`` starts for SSH: it listens where the SSH server is to, and becomes it when somebody comes.

A hub to which nobody pushes over SSH does not pay for a server of it, which is a quarter of what all processes take at
rest. Standard library only, and little of it.
"""

from __future__ import annotations

import os
import select
import socket
import sys

HOST_VARIABLE, PORT_VARIABLE = "HUB_SSH_HOST", "HUB_SSH_PORT"
# The socket that the SSH server is to listen on, when it has one already.
SOCKET_VARIABLE = "HUB_SSH_SOCKET_FD"
_BACKLOG = 100


def listen(host: str, port: int) -> socket.socket | None:
    """A socket where the SSH server would listen; None when that is at several addresses. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    if len(found) != 1:
        return None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listening.bind(address)
    listening.listen(_BACKLOG)
    return listening


def main() -> None:
    """Wait for the first connection, and become the SSH server, which takes it out of the socket's backlog."""
    try:
        listening = listen(os.environ[HOST_VARIABLE], int(os.environ[PORT_VARIABLE]))
    except OSError:
        listening = None  # the server says in the log why it cannot listen
    if listening is not None:
        poll = select.poll()
        poll.register(listening, select.POLLIN)
        poll.poll()
        listening.set_inheritable(True)
        os.environ[SOCKET_VARIABLE] = str(listening.fileno())
    os.execv(sys.executable, [sys.executable, "-P", "-m", "hub.cli", "ssh"])  # noqa: S606 - a fixed command


def take_listening() -> socket.socket | None:
    """The socket that this process was left, once; None when it has to make its own."""
    given = os.environ.pop(SOCKET_VARIABLE, "")
    if not given:
        return None
    listening = socket.socket(fileno=int(given))
    listening.set_inheritable(False)
    return listening
