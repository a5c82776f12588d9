"""Forwards what git tells a hook to the hub, and prints the hub's answer to the pusher.

It holds no rules. It runs twice for every push, so it imports next to nothing: the standard library's HTTP client
alone would take longer to start than all else that it does. Exit status 0: the hub agrees. Anything else, before
the refs move: git drops the push.
"""

import os
import socket
import sys


def main() -> int:
    """Send the quarantine's path and the ref lines, as git gave them; print the answer."""
    hook = sys.argv[1]
    body = os.environb.get(b"GIT_QUARANTINE_PATH", b"") + b"\n" + sys.stdin.buffer.read()
    try:
        status, answer = call(os.environ["HUB_INTERNAL_URL"], hook, body)
    except (OSError, ValueError):
        if hook == "pre-receive":
            say("The hub does not answer, so nothing was changed. Push again in a moment.")
        return 1
    say(answer)
    return 0 if status == 200 else 1


def call(url: str, hook: str, body: bytes) -> tuple[int, str]:
    """The status and the text that the hub answers. Raises OSError or ValueError when it does not."""
    scheme, _, rest = url.partition("://")
    authority, slash, prefix = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        host, port = authority, "443" if scheme == "https" else "80"
    # HTTP/1.0: the answer is all that comes until the server closes.
    request = (
        f"POST {slash}{prefix}/-/internal/{hook} HTTP/1.0\r\nHost: {authority}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: text/plain\r\nX-Hub-Push-Ticket: {os.environ['HUB_PUSH_TICKET']}\r\n\r\n"
    )
    timeout_s = float(os.environ["HUB_PUSH_TIMEOUT_S"])
    with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s) as connection:
        if scheme == "https":
            import ssl

            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host.strip("[]"))
        connection.sendall(request.encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, text = answer.partition(b"\r\n\r\n")
    return int(head.partition(b" ")[2][:3]), text.decode("utf-8", "replace")


def say(text: str) -> None:
    """Print to the pusher; git shows each line behind ``remote:``."""
    for line in text.splitlines():
        sys.stderr.write("".join(char if char.isprintable() else "?" for char in line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
