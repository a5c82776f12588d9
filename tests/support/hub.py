"""A real hub for tests: ``hub serve`` as a user starts it, on free ports, with a home of its own."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from click.testing import CliRunner
from sqlalchemy import Engine, NullPool, create_engine, text
from urllib3.exceptions import HTTPError

from hub.base.settings import load
from hub.cli.main import cli
from tests.support.http import HTTPClient, basic
from tests.support.processes import (
    accepts_connections,
    command_of,
    family_of,
    free_ports,
    kill_family,
    stop,
    tail,
    wait_until,
)

HUB = str(Path(sys.executable).with_name("hub"))
# The hub gives running transfers 30 s.
STOP_LIMIT_S = 45
PASSWORD = "correct-horse-battery"


@dataclass
class Account:
    """A user of a test's hub, with a token and an HTTP client that carries it."""

    name: str
    token: str
    hub: HubServer
    password: str = PASSWORD
    api: HTTPClient = field(init=False)

    def __post_init__(self) -> None:
        self.api = HTTPClient(self.hub.url, self.token)

    def address(self, path: str, *, token: str | None = None) -> str:
        """The clone address of ``models/ada/thing`` with the user's credential in it."""
        parts = urlsplit(self.hub.url)
        return f"{parts.scheme}://{self.name}:{token or self.token}@{parts.netloc}/{path}.git"

    def create_repository(self, name: str = "thing", *, collection: str = "models", **fields: Any) -> str:
        """Create a repository by REST and return ``models/ada/thing``."""
        answer = self.api.post(f"/api/v1/{collection}", {"name": name, **fields})
        assert answer.status == 200, f"{answer.status}: {answer.body!r}"
        return f"{collection}/{fields.get('namespace', self.name)}/{name}"

    def add_ssh_key(self, public_key: str, *, name: str = "laptop") -> None:
        """Add a public key; a token would need the scope "admin" for that, a password does not."""
        headers = {"Authorization": basic(self.name, self.password)}
        body = {"name": name, "content": public_key}
        answer = self.api.post(f"/api/v1/user/{self.name}/ssh_keys", body, headers=headers)
        assert answer.status == 200, answer.body


class HubServer:
    """``hub serve`` in a process of its own."""

    def __init__(self, home: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.log_path = home / "serve.log"
        self.port, self.ssh_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        given = {
            "home": home,
            "host": "127.0.0.1",
            "port": self.port,
            "ssh_port": self.ssh_port,
            "ssh_host": "127.0.0.1",
            **(settings or {}),
        }
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
        self.environment |= {f"HUB_{key.upper()}": str(value) for key, value in given.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.api = HTTPClient(self.url)
        self._numbers = itertools.count(1)

    def spawn(self) -> None:
        """Start the process and return at once."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [HUB, "serve"], env=self.environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )

    def start(self, *, timeout_s: float = 120) -> HubServer:
        """Start and wait until the hub is ready."""
        self.spawn()
        try:
            wait_until(self.is_ready, timeout_s=timeout_s, what="the hub to be ready")
            if self.environment["HUB_SSH_PORT"] != "0":
                wait_until(lambda: accepts_connections(self.ssh_port), timeout_s=timeout_s, what="the SSH server")
        except TimeoutError as error:
            self.stop()
            raise AssertionError(f"{error}\n{tail(self.log_path)}") from None
        return self

    def is_ready(self) -> bool:
        """Whether ``/-/ready`` says so. Raises AssertionError when the process has ended."""
        return self.answers("/-/ready")

    def answers(self, path: str) -> bool:
        """Whether the hub answers 200 there by now. Raises AssertionError when its process has ended."""
        assert self.process is not None, "the hub was never started"
        assert self.process.poll() is None, f"the hub has ended:\n{tail(self.log_path)}"
        try:
            return self.api.get(path).status == 200
        except HTTPError:
            return False

    def stop(self) -> int:
        """End it as Ctrl-C would; return its exit status."""
        assert self.process is not None, "the hub was never started"
        self.api.close()
        return stop(self.process, timeout_s=STOP_LIMIT_S)

    def kill(self) -> None:
        """SIGKILL to everything at once: web, worker, scheduler, SSH, Redis and their git children."""
        assert self.process is not None, "the hub was never started"
        kill_family(self.process.pid)
        self.process.wait(10)
        self.api.close()

    def processes(self) -> list[psutil.Process]:
        """All processes of the hub, oldest first."""
        assert self.process is not None, "the hub was never started"
        return list(reversed(family_of(self.process.pid)))

    def program(self, name: str) -> list[psutil.Process]:
        """The processes of ``hub web``, ``hub worker`` or ``hub ssh``: the first one, then what it forked."""
        return [process for process in self.processes() if f" hub.cli {name} " in f" {' '.join(command_of(process))} "]

    def git_processes(self) -> list[psutil.Process]:
        """The git programs that run for clients now."""
        programs = ((process, "".join(command_of(process)[:1])) for process in self.processes())
        return [process for process, program in programs if program.rpartition("/")[2].startswith("git")]

    def cli(self, *arguments: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a ``hub`` command on the same home; both outputs are text."""
        done = subprocess.run(
            [HUB, *arguments],
            env=self.environment,
            cwd=self.home,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check:
            assert done.returncode == 0, f"hub {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def cli_json(self, *arguments: str) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.cli(*arguments, "--json").stdout)

    def create_user(self, name: str, *, admin: bool = False, scope: str = "write") -> Account:
        """Create an account and a token as the operator does, by the same commands; they run in this process."""
        options = ["--admin"] if admin else []
        self._run("user", "create", name, "--email", f"{name}@example.org", "--password-stdin", *options)
        number = next(self._numbers)
        token = self._run("token", "create", name, "--name", f"token{number}", "--scope", scope, "--quiet")
        return Account(name, token.strip(), self)

    def _run(self, *arguments: str) -> str:
        # A process of its own takes seconds, most of it for imports. What the command says of logs holds for it alone.
        with kept_log_level():
            result = CliRunner().invoke(cli, arguments, input=PASSWORD, env=self.environment)
        assert result.exit_code == 0, f"{result.output}{result.exception!r}"
        return result.stdout

    @cached_property
    def administrator(self) -> Account:
        """The account that makes the others."""
        return self.create_user("administrator", admin=True, scope="admin")

    def new_account(self) -> Account:
        """An account with a name of its own and a token for writing, by REST: faster than two commands."""
        name = f"user{next(self._numbers)}"
        form = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        answer = self.administrator.api.post("/api/v1/users", form)
        assert answer.status == 200, answer.body
        return Account(name, self.new_token(name), self)

    def new_token(self, user: str, *, scope: str = "write") -> str:
        """A fresh token of a user who has the tests' password."""
        path = f"/api/v1/token/git/token{next(self._numbers)}"
        answer = self.api.post(path, {"permission": scope}, headers={"Authorization": basic(user, PASSWORD)})
        token: str = answer.data["token"]
        return token

    def ssh_address(self, path: str) -> str:
        """The clone address over SSH of ``models/ada/thing``."""
        return f"ssh://git@127.0.0.1:{self.ssh_port}/{path}.git"

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows straight from the hub's database, without asking the hub."""
        with self._open_database().connect() as connection:
            return list(connection.execute(text(query), values).all())

    def rest(self) -> None:
        """Wait until no job runs or is due. A worker that is paused before might hold SQLite's one lock for writing."""
        busy = "SELECT 1 FROM jobs WHERE state = 'running' OR (state = 'queued' AND run_after <= created_at)"
        wait_until(lambda: not self.rows(busy), timeout_s=120, what="the jobs that are due")

    def execute(self, statement: str, **values: Any) -> None:
        """Change the hub's database behind its back."""
        with self._open_database().begin() as connection:
            connection.execute(text(statement), values)

    def _open_database(self) -> Engine:
        url = load(self.environment).settings.effective_database_url
        # While the hub writes to SQLite, others wait, and on a busy machine for longer than by default.
        patience = {"timeout": 60} if url.startswith("sqlite") else {}
        return create_engine(url, poolclass=NullPool, connect_args=patience)

    def repository_path(self, path: str) -> Path:
        """The bare repository of ``models/ada/thing`` on disk."""
        _, namespace, name = path.split("/")
        query = (
            "SELECT r.uuid FROM repositories r JOIN namespaces n ON n.id = r.namespace_id "
            "WHERE n.path = :namespace AND r.name = :name AND r.deleted_at IS NULL"
        )
        [(uuid,)] = self.rows(query, namespace=namespace, name=name)
        [found] = (self.home / "repositories").glob(f"*/{uuid[:2]}/{uuid[2:4]}/{uuid}.git")
        return found

    def __enter__(self) -> HubServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


@contextlib.contextmanager
def kept_log_level() -> Iterator[None]:
    """The level of this process's logs is afterwards what it was before."""
    root = logging.getLogger()
    level = root.level
    try:
        yield
    finally:
        root.setLevel(level)


def pause(process: psutil.Process) -> None:
    """SIGSTOP: the process is there and does nothing."""
    os.kill(process.pid, signal.SIGSTOP)


def resume(process: psutil.Process) -> None:
    """SIGCONT after ``pause``."""
    os.kill(process.pid, signal.SIGCONT)
