"""The hook scripts: they forward what git says, print what the hub says, and know nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hub.git.command import hooks_path

# Where nobody listens, and nobody begins to.
NOBODY = "http://127.0.0.1:1"
CHANGES = f"{'0' * 40} {'1' * 40} refs/heads/main\n{'2' * 40} {'3' * 40} refs/tags/v 1\n"


class Listener:
    """A server that keeps what it is sent and answers as it is told."""

    def __init__(self):
        self.status, self.answer = 200, b""
        self.requests = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.requests.append((self.path, self.headers["X-Hub-Push-Ticket"], body))
                self.send_response(listener.status)
                self.send_header("Content-Length", str(len(listener.answer)))
                self.end_headers()
                self.wfile.write(listener.answer)

            def log_message(self, *_arguments):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def run_hook(name, url, *, stdin=CHANGES, **environment):
    return subprocess.run(
        [hooks_path() / name],
        input=stdin.encode("utf-8", "surrogateescape"),
        capture_output=True,
        env={
            "PATH": os.environ["PATH"],
            "HUB_PYTHON": sys.executable,
            "HUB_INTERNAL_URL": url,
            "HUB_PUSH_TICKET": "ticket",
            "HUB_PUSH_TIMEOUT_S": "60",
            **environment,
        },
    )


@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
def test_a_hook_forwards_the_refs_and_the_quarantine(listener, name):
    done = run_hook(name, listener.url, GIT_QUARANTINE_PATH="/somewhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert listener.requests == [(f"/-/internal/{name}", "ticket", b"/somewhere\n" + CHANGES.encode())]


def test_a_refusal_is_printed_and_ends_the_push(listener):
    listener.status, listener.answer = 403, "Not so.\nBut so: ä\n".encode()
    done = run_hook("pre-receive", listener.url)
    assert done.returncode == 1
    assert done.stderr.decode() == "Not so.\nBut so: ä\n"


def test_the_pusher_s_terminal_is_safe_from_what_a_push_carries(listener):
    listener.status, listener.answer = 403, b"a\x1b[2Jb\x07\n"
    assert run_hook("pre-receive", listener.url).stderr == b"a?[2Jb?\n"


def test_a_ref_of_any_bytes_is_forwarded(listener):
    line = f"{'0' * 40} {'1' * 40} refs/heads/\udcff\u2028x\n"
    assert run_hook("pre-receive", listener.url, stdin=line).returncode == 0
    assert listener.requests[0][2] == b"\n" + line.encode("utf-8", "surrogateescape")


def test_a_hub_that_does_not_answer_lets_nothing_in():
    done = run_hook("pre-receive", NOBODY)
    assert done.returncode == 1
    assert b"Push again" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_hub_that_does_not_answer_afterwards_disturbs_nobody():
    done = run_hook("post-receive", NOBODY)
    assert done.stderr == b""


def test_a_prefix_of_the_hub_s_address_is_kept(listener):
    run_hook("pre-receive", f"{listener.url}/hub")
    assert listener.requests[0][0] == "/hub/-/internal/pre-receive"


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.0\r\n\r\n", b"HTTP/1.0 abc\r\n\r\n"])
def test_an_answer_that_is_none_lets_nothing_in(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = run_hook("pre-receive", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
def test_the_scripts_can_be_run(name):
    assert os.access(hooks_path() / name, os.X_OK)
