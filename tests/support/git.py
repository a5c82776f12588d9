"""The real ``git`` and ``git lfs`` as a user has them: a home of their own, no prompts, no machine-wide settings."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class Result:
    """How a command ended. Both outputs are text."""

    status: int
    output: str
    error: str

    @property
    def ok(self) -> bool:
        return self.status == 0


class GitError(AssertionError):
    """A git command that should have worked did not; the message holds what it said."""


def find_git_lfs() -> str | None:
    """The git-lfs program: on PATH, else where `make test` put the one out of a wheel."""
    tools = Path(sys.prefix) / "tools" / "git_lfs" / "bin"
    return shutil.which("git-lfs") or shutil.which("git-lfs", path=str(tools))


_CONFIG = """[user]
	name = {name}
	email = {email}
[init]
	defaultBranch = main
[advice]
	detachedHead = false
[gc]
	auto = 0
"""
_lfs_config: list[str] = []


def _config(user: GitUser, name: str, email: str) -> str:
    """A person's ``.gitconfig``, with what ``git lfs install`` writes into one: asked once, as it takes a while."""
    if not _lfs_config:
        user.git("lfs", "install", "--skip-repo")
        _lfs_config.append((user.home / ".gitconfig").read_text())
    return _CONFIG.format(name=name, email=email) + _lfs_config[0]


class GitUser:
    """One person's git: their configuration, key and commands."""

    def __init__(self, home: Path, name: str = "Ada Lovelace", email: str = "ada@example.org") -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        program = find_git_lfs()
        if program is None:
            raise RuntimeError("there is no git-lfs; `make test` installs one")
        allowed = {key: os.environ[key] for key in ("LANG", "TMPDIR", "LD_LIBRARY_PATH") if key in os.environ}
        self.environment = {
            **allowed,
            "PATH": os.pathsep.join([str(Path(program).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "LC_ALL": "C.UTF-8",
        }
        if not (home / ".gitconfig").exists():
            (home / ".gitconfig").write_text(_config(self, name, email))

    def git(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        input: bytes | None = None,
        timeout_s: float = 240,
    ) -> Result:
        """Run git and wait. Raises GitError when it fails and ``check`` is set."""
        done = subprocess.run(
            ["git", *map(str, arguments)],
            cwd=cwd or self.home,
            env={**self.environment, **(environment or {})},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            timeout=timeout_s,
        )
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        if check and not result.ok:
            raise GitError(f"git {shlex.join(map(str, arguments))}: {result.status}\n{result.output}{result.error}")
        return result

    def start(
        self, *arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start git in a process group of its own and return at once; both outputs are pipes."""
        return subprocess.Popen(
            ["git", *map(str, arguments)],
            cwd=cwd,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def clone(self, address: str, target: Path, *options: str, check: bool = True) -> Result:
        """Clone with LFS content."""
        return self.git("clone", "--quiet", *options, address, target, check=check)

    def commit(self, work_tree: Path, files: Mapping[str, bytes | str], message: str = "Change") -> str:
        """Write the files, commit them and return the commit's id."""
        for name, content in files.items():
            path = work_tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            self.git("add", "--", name, cwd=work_tree)
        self.git("commit", "--quiet", "--message", message, cwd=work_tree)
        return self.head(work_tree)

    def head(self, work_tree: Path, revision: str = "HEAD") -> str:
        """The commit that a revision names in a repository."""
        return self.git("rev-parse", "--verify", f"{revision}^{{commit}}", cwd=work_tree).output.strip()

    def push(self, work_tree: Path, *arguments: str, check: bool = True, **options: Mapping[str, str]) -> Result:
        """``git push origin`` with more arguments."""
        return self.git("push", "origin", *arguments, cwd=work_tree, check=check, **options)

    def create_ssh_key(self) -> str:
        """Make the user's key and use it from now on; return the public half as one line."""
        key = Ed25519PrivateKey.generate()
        path = self.home / "id_ed25519"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
        )
        path.chmod(0o600)
        self.environment["GIT_SSH_COMMAND"] = shlex.join(ssh_command(path))
        self.environment["GIT_SSH_VARIANT"] = "ssh"
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return f"{public.decode()} {path.name}"


def ssh_command(key: Path) -> list[str]:
    """OpenSSH's client with nothing but this key; where a bare machine lacks it, asyncssh's in its place."""
    options = ["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"]
    options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
    if shutil.which("ssh"):
        return ["ssh", *options, "-i", str(key)]
    return [sys.executable, str(Path(__file__).with_name("ssh_client.py")), "-i", str(key)]
