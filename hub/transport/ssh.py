"""Git over SSH: the public keys of the accounts, git's commands and nothing else.

This process runs asyncio, not gevent: the database and every other thing that waits is asked from threads. Pushes
pass the same hooks, and so the same checks, as those over HTTP; the hooks call ``hub web``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import asyncssh

from hub.accounts.authentication import Identity, identify_ssh_key, record_use
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import HubError, Unavailable
from hub.base.log import bind, get_logger
from hub.db.uow import reading
from hub.git.command import git_environment, hooks_path, server_config
from hub.repos import refs
from hub.repos.lfs.tickets import issue_ssh_token
from hub.repos.lookup import get_readable
from hub.transport.access import (
    RECEIVE_PACK,
    UPLOAD_ARCHIVE,
    UPLOAD_PACK,
    Access,
    open_repository,
    protocol_environment,
    service_command,
)
from hub.transport.tickets import hook_environment, issue_ticket
from hub.transport.urls import parse_address
from hub.transport.waiting import take_listening

log = get_logger(__name__)

USER_NAME = "git"
LFS_AUTHENTICATE = "git-lfs-authenticate"

_SERVICES = (UPLOAD_PACK, UPLOAD_ARCHIVE, RECEIVE_PACK)
_LOGIN_TIMEOUT_S = 30
# A client whose connection is dead is noticed after three of these.
_KEEPALIVE_S = 60
# How much a client may send, or the hub, before the other side has read it.
_WINDOW_BYTES = 4 * 1024 * 1024
_SLOT_WAIT_S = 30.0
_STOP_GRACE_S = 20.0
_STDERR_SHOWN_BYTES = 2000
_MAX_COMMAND_CHARS = 4096
_PIECE_BYTES = 256 * 1024
_TERMINATE_GRACE_S = 5.0

Process = asyncssh.SSHServerProcess[bytes]


def serve(find_context: Callable[[], Context]) -> None:
    """Serve until SIGTERM or SIGINT. Sessions under way then get some seconds, or the time until a second signal.

    find_context: the hub's context of the moment. It is asked for each time, because the licence may change which
    plugins, and so which kinds of asset, there are; sessions under way go on with the next one.
    """
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(_serve(find_context))


async def _serve(find_context: Callable[[], Context]) -> None:
    settings = find_context().settings
    loop = asyncio.get_running_loop()
    hub = GitOverSSH(find_context)
    listening = take_listening()
    acceptor = await asyncssh.listen(
        *(() if listening else (settings.ssh_host, settings.ssh_port)),
        sock=listening,
        server_factory=lambda: _Connection(find_context()),
        process_factory=hub.handle,
        server_host_keys=[load_host_key(settings.home)],
        encoding=None,
        allow_pty=False,
        agent_forwarding=False,
        allow_scp=False,
        line_editor=False,
        x11_forwarding=False,
        login_timeout=_LOGIN_TIMEOUT_S,
        keepalive_interval=_KEEPALIVE_S,
        window=_WINDOW_BYTES,
        server_version="hub",
    )
    stopping, hurrying = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurrying if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    log.info("ssh_listens", host=settings.ssh_host, port=settings.ssh_port)
    await stopping.wait()
    acceptor.close()
    await hub.finish(_STOP_GRACE_S, hurrying)


def load_host_key(home: Path) -> asyncssh.SSHKey:
    """The key by which clients know this hub: ``ssh_host_ed25519_key`` in the home, made on first use.

    Two processes that start at once agree: the file is linked into place, and the one that loses reads the other's.
    """
    path = home / "ssh_host_ed25519_key"
    if not path.exists():
        draft = Path(f"{path}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(asyncssh.generate_private_key("ssh-ed25519", comment="hub").export_private_key())
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return asyncssh.read_private_key(path)


class _Connection(asyncssh.SSHServer):
    """Signs a connection in: the user is ``git``, and the key says whose account it is."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._candidate: Identity | None = None
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the key is an account's. Clients ask for each of their keys first and prove one of them later."""
        self._candidate = None
        if username != USER_NAME:
            return False
        text = key.export_public_key().decode()
        self._candidate = await asyncio.to_thread(_identify, self._context, text)
        return self._candidate is not None

    def auth_completed(self) -> None:
        """The key that was asked for last has just been proven: nothing else ran since ``validate_public_key``."""
        if self._candidate is not None and self._connection is not None:
            self._connection.set_extra_info(hub_identity=self._candidate)


def _identify(context: Context, key: str) -> Identity | None:
    with reading(context) as work:
        return identify_ssh_key(work, key)


class GitOverSSH:
    """Answers the commands of signed-in clients."""

    def __init__(self, find_context: Callable[[], Context]) -> None:
        self._find_context = find_context
        self._slots = asyncio.Semaphore(find_context().settings.git_concurrency)
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def _context(self) -> Context:
        return self._find_context()

    async def handle(self, process: Process) -> None:
        """One session: one command."""
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        identity: Identity = process.get_extra_info("hub_identity")
        try:
            bind(session=secrets.token_hex(8), actor_id=identity.actor.user_id)
            status = await self._run(process, identity.actor)
        except HubError as error:
            status = await _refuse(process, str(error))
        except (asyncssh.Error, OSError) as error:
            log.info("ssh_client_left", reason=type(error).__name__)
            status = 1
        except Exception:
            log.exception("ssh_session_failed")
            status = await _refuse(process, "Something went wrong on our side.")
        finally:
            self._sessions.discard(task)
        process.exit(status)
        if identity.use is not None:
            await asyncio.to_thread(record_use, self._context, identity.use)

    async def finish(self, grace_s: float, hurrying: asyncio.Event) -> None:
        """Let the sessions end; those that take longer are cut off, their git processes with them."""
        if self._sessions:
            ended = asyncio.gather(*self._sessions, return_exceptions=True)
            hurry = asyncio.create_task(hurrying.wait())
            await asyncio.wait((ended, hurry), timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()
            ended.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _run(self, process: Process, actor: Actor) -> int:
        command = process.command
        if not command:
            return await _refuse(process, f"Hello {actor.name}. Your key works; there is no shell here, only Git.")
        try:
            words = shlex.split(command) if len(command) <= _MAX_COMMAND_CHARS else []
        except ValueError:
            words = []
        match words:
            case [service, path] if service in _SERVICES:
                return await self._serve_git(process, actor, service, path)
            case [service, path, operation, *_] if service == LFS_AUTHENTICATE:
                return await self._authenticate_lfs(process, actor, path, operation)
        return await _refuse(process, "This server speaks Git only.")

    async def _authenticate_lfs(self, process: Process, actor: Actor, path: str, operation: str) -> int:
        """Tell git-lfs where and how to speak LFS over HTTP. Source: git-lfs, docs/api/server-discovery.md."""

        def issue() -> dict[str, object]:
            address = parse_address(self._context, path)
            with reading(self._context) as work:
                repository = get_readable(work, actor=actor, kind=address.kind, path=address.path)
                return issue_ssh_token(work, actor=actor, repository=repository, operation=operation).as_json()

        answer = await asyncio.to_thread(issue)
        process.stdout.write(json.dumps(answer).encode() + b"\n")
        return 0

    async def _serve_git(self, process: Process, actor: Actor, service: str, path: str) -> int:
        context = self._context
        address = parse_address(context, path)
        access = await asyncio.to_thread(open_repository, context, actor, address, service)
        env = protocol_environment(process.env.get("GIT_PROTOCOL"))
        if service != RECEIVE_PACK:
            return await self._exchange(process, access, service, env)
        ticket, signed = issue_ticket(context, actor=actor, repository_id=access.repository_id, via="ssh")
        try:
            return await self._exchange(process, access, service, env | hook_environment(context, signed))
        finally:
            await asyncio.shield(asyncio.to_thread(refs.finish, context, ticket.push_uuid))

    async def _exchange(self, process: Process, access: Access, service: str, env: dict[str, str]) -> int:
        """Connect the client with a git process until one of the two ends; git's exit status."""
        try:
            await asyncio.wait_for(self._slots.acquire(), _SLOT_WAIT_S)
        except TimeoutError:
            raise Unavailable("The hub is busy with other transfers; try again in a moment.", code="git_busy") from None
        try:
            with TemporaryFile() as errors:
                child = await self._start(access, service, env, errors)
                try:
                    return await self._connect(process, child, service)
                finally:
                    await asyncio.shield(_terminate(child))
                    _report(child, errors, service)
        finally:
            self._slots.release()

    async def _start(
        self, access: Access, service: str, env: dict[str, str], errors: IO[bytes]
    ) -> asyncio.subprocess.Process:
        """As ``hub.git.command.open_git``, with pipes that asyncio can wait for."""
        hooks = hooks_path() if service == RECEIVE_PACK else None
        return await asyncio.create_subprocess_exec(
            "git",
            *server_config(hooks=hooks),
            f"--git-dir={access.path}",
            *service_command(self._context.settings, service, is_proposal=access.is_proposal),
            ".",
            cwd=access.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=git_environment(env),
            start_new_session=True,
            limit=_PIECE_BYTES,
        )

    async def _connect(self, process: Process, child: asyncio.subprocess.Process, service: str) -> int:
        receiving = asyncio.create_task(_receive(process, child))
        sending = asyncio.create_task(_send(process, child))
        left = asyncio.create_task(process.channel.wait_closed())
        try:
            await asyncio.wait(
                (sending, left), timeout=self._context.settings.git_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if sending.done():
                sending.result()
                return await child.wait()
            log.info("git_client_left" if left.done() else "git_timeout", service=service)
            return 1
        finally:
            for task in (receiving, sending, left):
                task.cancel()
            await asyncio.gather(receiving, sending, left, return_exceptions=True)


async def _receive(process: Process, child: asyncio.subprocess.Process) -> None:
    """Hand what the client sends to git, no faster than git takes it."""
    assert child.stdin is not None
    try:
        while piece := await process.stdin.read(_PIECE_BYTES):
            child.stdin.write(piece)
            await child.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        # Git has made up its mind. The rest is read all the same, so that the client comes to read the answer.
        while await process.stdin.read(_PIECE_BYTES):
            pass
    finally:
        child.stdin.close()


async def _send(process: Process, child: asyncio.subprocess.Process) -> None:
    """Hand what git says to the client, no faster than the client takes it."""
    assert child.stdout is not None
    while piece := await child.stdout.read(_PIECE_BYTES):
        process.stdout.write(piece)
        await process.stdout.drain()


async def _terminate(child: asyncio.subprocess.Process) -> None:
    """End git and all that it started: politely first, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), _TERMINATE_GRACE_S)


async def _refuse(process: Process, message: str) -> int:
    """Tell the client why not; git shows the lines as they are."""
    with contextlib.suppress(asyncssh.Error, OSError):
        process.stderr.write("".join(f"remote: {line}\n" for line in message.splitlines()).encode())
        await process.stderr.drain()
    return 1


def _report(child: asyncio.subprocess.Process, errors: IO[bytes], service: str) -> None:
    if child.returncode:
        errors.seek(0)
        said = errors.read(_STDERR_SHOWN_BYTES).decode("utf-8", "replace").strip()
        log.info("git_exchange_failed", service=service, returncode=child.returncode, stderr=said)
