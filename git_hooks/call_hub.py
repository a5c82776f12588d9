"""Forwards what git tells a hook to the hub, and prints the hub's answer to the pusher.

It holds no rules and imports nothing but a little of the standard library: it runs for every push, and must start
fast. Exit status 0: the hub agrees. Anything else: git drops the push.
"""

import json
import os
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


def main() -> int:
    """Send the ref lines of standard input; print the answer."""
    hook = sys.argv[1]
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\n")
    body = {
        "changes": [line.split(" ", 2) for line in lines if line],
        "quarantine": os.environ.get("GIT_QUARANTINE_PATH", ""),
    }
    try:
        status, answer = call(hook, json.dumps(body).encode())
    except (OSError, HTTPException):
        if hook == "pre-receive":
            say("The hub does not answer, so nothing was changed. Push again in a moment.")
        return 1
    say(answer)
    return 0 if status == 200 else 1


def call(hook: str, body: bytes) -> tuple[int, str]:
    """The status and the text that the hub answers. Raises OSError or HTTPException when it does not."""
    address = urlsplit(os.environ["HUB_INTERNAL_URL"])
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=float(os.environ["HUB_PUSH_TIMEOUT_S"]))
    headers = {"Content-Type": "application/json", "X-Hub-Push-Ticket": os.environ["HUB_PUSH_TICKET"]}
    connection.request("POST", f"{address.path}/-/internal/{hook}", body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode("utf-8", "replace")


def say(text: str) -> None:
    """Print to the pusher; git shows each line behind ``remote:``."""
    for line in text.splitlines():
        sys.stderr.write("".join(char if char.isprintable() else "?" for char in line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
