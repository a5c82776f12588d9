"""The servers that we measure ourselves against."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import CLIENT
from tests.support.processes import accepts_connections, free_port, stop, wait_until


class NotHere(Exception):
    """A peer's program is not on this machine; the rows that need it are not run."""


@dataclass(frozen=True)
class Peer:
    """A running server: where it is reached, and the process whose tree is all of it."""

    url: str
    pid: int


@contextmanager
def git_daemon(directory: Path) -> Iterator[Peer]:
    """``git daemon`` over a directory of bare repositories, with pushes allowed."""
    port = free_port()
    process = subprocess.Popen(
        [
            *("git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}"),
            *(f"--base-path={directory}", "--export-all", "--enable=receive-pack", "--max-connections=64"),
        ],
        env=CLIENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: accepts_connections(port), what="git daemon")
        yield Peer(f"git://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)


def _find(name: str, *more: str) -> str:
    places = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin", *more])
    found = shutil.which(name, path=places)
    if found is None:
        raise NotHere(f"there is no {name} on this machine")
    return found


_NGINX = """
daemon off;
master_process on;
{user}
worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /files/ {{ alias {files}/; }}
        {more}
    }}
}}
"""

_GIT = """
        location / {{
            fastcgi_pass unix:{directory}/fcgiwrap.sock;
            fastcgi_buffering off;
            fastcgi_request_buffering off;
            fastcgi_param SCRIPT_FILENAME {backend};
            fastcgi_param GIT_PROJECT_ROOT {repositories};
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
            fastcgi_param REMOTE_ADDR $remote_addr;
        }}
"""


@contextmanager
def xet_sink() -> Iterator[Peer]:
    """A CAS service that keeps nothing."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.xet_sink", str(port)])
    try:
        wait_until(lambda: accepts_connections(port), what="the sink")
        yield Peer(f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)


@contextmanager
def nginx(directory: Path, *, files: Path, repositories: Path | None = None, more: str = "") -> Iterator[Peer]:
    """nginx that serves files below /files/ and, with ``repositories``, git's own HTTP backend by fcgiwrap.

    more: further lines of its server. Raises NotHere when a program is missing.
    """
    program = _find("nginx", str(Path(sys.executable).parent))
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    port = free_port()
    wrapper = None
    if repositories is not None:
        backend = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-http-backend"
        more += _GIT.format(directory=directory, backend=backend, repositories=repositories)
        wrapper = subprocess.Popen(
            [_find("fcgiwrap"), "-c", "8", "-s", f"unix:{directory}/fcgiwrap.sock"],
            env=CLIENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    user = "user root;" if os.geteuid() == 0 else ""
    config = directory / "nginx.conf"
    config.write_text(_NGINX.format(user=user, directory=directory, port=port, files=files, more=more))
    process = subprocess.Popen(
        [program, "-p", str(directory), "-c", str(config), "-e", str(directory / "error.log")],
        env=CLIENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: accepts_connections(port), what="nginx")
        yield Peer(f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)
        if wrapper is not None:
            stop(wrapper)
