"""A mail server of the tests' own: it keeps what it is given, and answers what it was told to."""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any


@dataclass(frozen=True)
class Post:
    """One message, as it came. is_private: over TLS. user: who had signed in, and with which password."""

    sender: str
    receivers: tuple[str, ...]
    message: EmailMessage
    is_private: bool
    user: str


@dataclass
class PostOffice:
    """An SMTP server on a free loopback port, while the block lasts.

    tls: offers STARTTLS with it. answers: by the receiver's address, what to say to it (else "250 OK"); a callable is
    called, with the handler, when its message is complete, and gives the answer.
    """

    tls: ssl.SSLContext | None = None
    answers: dict[str, str | Callable[[Any], str]] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)

    def __enter__(self) -> PostOffice:
        office = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    _serve(office, self)
                finally:  # the one that TLS has put in the place of the server's own
                    self.rfile.close()
                    self.request.close()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _serve(office: PostOffice, handler: socketserver.StreamRequestHandler) -> None:
    def say(*lines: str) -> None:
        handler.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    is_private, user, sender = False, "", ""
    receivers: list[str] = []
    say("220 post.example ESMTP")
    while line := handler.rfile.readline(4096):
        word, _, rest = line.decode().strip().partition(" ")
        match word.upper():
            case "EHLO":
                offer = "STARTTLS" if office.tls is not None and not is_private else "AUTH PLAIN"
                say("250-post.example", f"250 {offer}")
            case "STARTTLS":
                assert office.tls is not None
                say("220 Go on")
                try:
                    handler.request = office.tls.wrap_socket(handler.request, server_side=True)
                except OSError:
                    return
                handler.rfile, handler.wfile = handler.request.makefile("rb"), handler.request.makefile("wb", 0)
                is_private = True
            case "AUTH":
                _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                user = f"{user}:{password}"
                say("235 Welcome" if password == "right" else "535 Who are you?")
            case "MAIL":
                sender, receivers = rest[5:].split(">")[0].strip("<"), []
                say("250 OK")
            case "RCPT":
                receivers.append(rest[3:].split(">")[0].strip("<"))
                answer = office.answers.get(receivers[-1], "250 OK")
                say(answer if isinstance(answer, str) else "250 OK")
            case "DATA":
                say("354 Say it")
                raw = b""
                while (line := handler.rfile.readline()) not in (b".\r\n", b""):
                    raw += line.removeprefix(b".")
                answer = office.answers.get(receivers[0], "")
                said = answer(handler) if callable(answer) else "250 Taken"
                message = email.message_from_bytes(raw, policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                if said.startswith("250") or not said:
                    office.posts.append(Post(sender, tuple(receivers), message, is_private, user))
                if not said:  # it is taken, and nobody is told
                    handler.request.close()
                    return
                say(said)
            case "QUIT":
                say("221 Bye")
                return
            case _:
                say("250 OK")
