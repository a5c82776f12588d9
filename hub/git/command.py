"""Runs the git program: an argument list, an allow-listed environment, its own process group, never a shell.

Call these on the event loop, not through ``offload``: the end of a child process can only be watched from there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import hub
from hub.base.errors import Failed, NotFound, Unavailable
from hub.base.log import get_logger
from hub.base.offload import is_cooperative
from hub.git.types import HIDDEN_REFS, decode_text

log = get_logger(__name__)

DEFAULT_TIMEOUT_S = 60.0
_STOP_GRACE_S = 5.0
_STDERR_SHOWN_BYTES = 2000

# What a git process may inherit from ours. Everything else (GIT_DIR of a hook, editors, proxies, keys) stays out.
_INHERITED = ("PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")

_CONFIG = {
    # Repositories may belong to another user of this machine (a volume that was mounted, a backup that was restored).
    "safe.directory": "*",
    # An acknowledged push survives a power cut: the default leaves loose objects to the page cache. References are
    # in git's own default, and derived data (pack indexes) too, because a pack without its index is not read.
    "core.fsync": "objects,derived-metadata,reference",
    # One pack for a push, however small: two files to sync instead of one for each object.
    "transfer.unpackLimit": "1",
    "core.filesRefLockTimeout": "2000",
    "core.packedRefsTimeout": "5000",
    # The pushes table is the log of refs; a reflog would keep removed content alive without anyone seeing it.
    "core.logAllRefUpdates": "false",
    # Upkeep is a job, never a side effect of a push.
    "gc.auto": "0",
    "maintenance.auto": "false",
    "receive.autogc": "false",
    # Objects are checked as strictly as `git fsck --strict` does; what old and honest histories carry may pass.
    "receive.fsckObjects": "true",
    "receive.fsck.badTimezone": "warn",
    "receive.fsck.missingSpaceBeforeDate": "warn",
    "receive.fsck.zeroPaddedFilemode": "warn",
    "transfer.hideRefs": HIDDEN_REFS,
    "uploadpack.allowFilter": "true",
    # Protocol v2 lets a client want any object by its id; this gives the older protocols what is reachable, which
    # partial clones need. Hidden refs are hidden from listings only, so nothing secret may stand behind them.
    # The order counts: switching the wider one off switches the narrower one off with it.
    "uploadpack.allowAnySHA1InWant": "false",
    "uploadpack.allowReachableSHA1InWant": "true",
    # Large files are streamed rather than held in memory and compared with each other.
    "core.bigFileThreshold": "16m",
    "pack.windowMemory": "64m",
    "pack.writeReverseIndex": "true",
    "repack.writeBitmaps": "true",
    "core.quotePath": "false",
    "init.templateDir": "",
    "protocol.ext.allow": "never",
}


class GitError(Failed):
    """The git program failed in a way that no caller could foresee. What it said is in the log, not in the message."""

    code = "git_failed"

    def __init__(self, message: str, *, returncode: int | None = None, stderr: str = "") -> None:
        super().__init__(message)
        self.returncode = returncode
        self.stderr = stderr


def hooks_path() -> Path:
    """The directory of the hook scripts, ``git_hooks/`` beside the package ``hub``."""
    return Path(hub.__file__).resolve().parent.parent / "git_hooks"


def server_config(*, hooks: Path | None = None) -> list[str]:
    """``-c key=value`` arguments that every git process of the hub runs with.

    They are given at run time rather than stored in each repository, so that an upgrade changes all repositories at
    once and a repository's own file can never weaken them. hooks: the directory of hook scripts; None: none run.
    """
    arguments = ["-c", f"core.hooksPath={hooks or os.devnull}"]
    for key, value in _CONFIG.items():
        arguments += ["-c", f"{key}={value}"]
    return arguments


def git_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a git process: a few inherited names, no configuration but ours, no prompt; then ``extra``."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
    }
    return environment | dict(extra or {})


def open_git(
    repo_path: Path,
    *args: str,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: int | IO[Any] = subprocess.PIPE,
    stderr: int | IO[Any] = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    hooks: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start git in a repository, in a process group of its own; end it with ``terminate``.

    Raises NotFound (code ``repository_missing``) when the directory is not there.
    """
    if is_cooperative() and threading.get_native_id() != os.getpid():
        raise RuntimeError("git must be started on the event loop, not through offload()")
    command = ["git", *server_config(hooks=hooks), f"--git-dir={repo_path}", *args]
    try:
        return subprocess.Popen(
            command,
            cwd=repo_path,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=git_environment(env),
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError):
        if repo_path.is_dir():
            raise Unavailable("The git program is not installed on the server.", code="git_missing") from None
        raise NotFound("The repository's files are not there.", code="repository_missing") from None


def terminate(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started, and wait for it: politely first, then by force. May be repeated."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(process, number)
            try:
                process.wait(timeout=_STOP_GRACE_S)
                break
            except subprocess.TimeoutExpired:
                continue
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is None:  # once it was waited for, its number may be another's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def run_git(
    repo_path: Path,
    *args: str,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    check: bool = True,
) -> bytes:
    """What git wrote to its standard output, whole in memory: for small answers only.

    check: False gives the output whatever the exit status.
    Raises GitError when git fails, Unavailable (code ``git_timeout``) when it takes longer than ``timeout_s``.
    """
    process = open_git(
        repo_path,
        *args,
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )
    try:
        output, errors = process.communicate(input, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        log.warning("git_timeout", command=args[0], timeout_s=timeout_s)
        raise Unavailable("Git took too long to answer; try again later.", code="git_timeout") from None
    finally:
        terminate(process)
    if check and process.returncode != 0:
        raise _failure(args[0], process.returncode, errors)
    return bytes(output)


@contextlib.contextmanager
def stream_git(
    repo_path: Path,
    *args: str,
    lines: Iterable[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    limit_s: float | None = None,
) -> Iterator[IO[bytes]]:
    """Git's standard output as a stream, read while git writes it.

    lines: its standard input, kept in a temporary file so that neither side waits for the other. A caller that
    leaves before the end ends the process; one that reads to the end is told of a failure. limit_s: when so much
    time is over, git is ended and the stream with it, which is no failure.
    Raises GitError when git failed.
    """
    is_over = threading.Event()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        for line in lines or ():
            given.write(line + b"\n")
        given.seek(0)
        process = open_git(
            repo_path, *args, stdin=subprocess.DEVNULL if lines is None else given, stderr=errors, env=env
        )
        assert process.stdout is not None

        def stop() -> None:
            is_over.set()
            _signal_group(process, signal.SIGKILL)

        timer = threading.Timer(limit_s, stop) if limit_s is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield process.stdout
            # A caller that has read enough makes git end of a broken pipe, which is no failure.
            at_end = not process.stdout.read(1)
            if at_end:
                process.wait()
        finally:
            if timer is not None:
                timer.cancel()
            terminate(process)
        if at_end and process.returncode != 0 and not is_over.is_set():
            errors.seek(0)
            raise _failure(args[0], process.returncode, errors.read(_STDERR_SHOWN_BYTES))


def _failure(command: str, returncode: int, errors: bytes) -> GitError:
    stderr = decode_text(errors[:_STDERR_SHOWN_BYTES]).strip()
    log.warning("git_failed", command=command, returncode=returncode, stderr=stderr)
    return GitError("Git could not do this to the repository.", returncode=returncode, stderr=stderr)
