"""What ``hub serve`` starts for workloads: it holds the supervisor's socket, and becomes the supervisor when asked.

A hub on which nothing was ever run does not pay for a supervisor: this takes a third of the memory, and is to stay so.
Standard library only, and little of it.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import sys

# The socket that the supervisor is to listen on, when it has one already.
SOCKET_VARIABLE = "HUB_SUPERVISOR_SOCKET_FD"
STATE, LOCK, SOCKET = "state.db", "supervisor.lock", "supervisor.sock"


def listen(root: str) -> socket.socket:
    """A socket that the hub's processes find. The caller holds the lock, so whoever listened there before is dead."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    # By the directory's descriptor: the kernel takes an address of 107 bytes, whatever the path of the home.
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    mask = os.umask(0o177)
    try:
        if os.path.lexists(os.path.join(root, SOCKET)):
            os.unlink(os.path.join(root, SOCKET))
        listening.bind(f"/proc/self/fd/{directory}/{SOCKET}")
    finally:
        os.umask(mask)
        os.close(directory)
    listening.listen(128)
    return listening


def main() -> None:
    """Wait for the first question, and become the supervisor; at once where there is something to look after."""
    root = os.path.join(os.environ["HUB_HOME"], "compute")
    os.makedirs(root, mode=0o700, exist_ok=True)
    os.chmod(root, 0o700)
    if not os.path.exists(os.path.join(root, STATE)):
        lock = os.open(os.path.join(root, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another supervisor runs on this home; the one that we become says so
        else:
            listening = listen(root)
            poll = select.poll()
            poll.register(listening, select.POLLIN)
            poll.poll()
            # Who has asked waits in the socket's backlog and is answered in a moment.
            listening.set_inheritable(True)
            os.environ[SOCKET_VARIABLE] = str(listening.fileno())
    # Its lock goes with this program, and the supervisor takes it anew.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "hub.compute.local"])  # noqa: S606 - a fixed command
