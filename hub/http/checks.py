"""Looks at what a hub stands on beyond what ``/-/ready`` asks: for ``hub doctor`` and the pages of the set-up.

Each takes up to some seconds; none of them changes anything that stays.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import redis
import urllib3
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from hub.assets.search.fulltext import has_full_text, has_trigrams
from hub.base.context import Context
from hub.base.errors import HubError, Unavailable
from hub.base.health import Check, CheckStatus, fail, ok, warn
from hub.base.mail import MAILER, LogMailer
from hub.db.engine import DATABASE
from hub.git.command import hooks_path
from hub.http.health import check_storage, instance_id
from hub.jobs.queue import REDIS
from hub.licensing.judge import LicenseState
from hub.licensing.service import LICENSING
from hub.objects.store import STORE

# Partial clones, protocol v2 and atomic reference transactions as the hub uses them.
_GIT_NEEDED = (2, 34)
_GIT_LFS_NEEDED = (3, 0)
_PROBE_BYTES = b"hub doctor\n"
_REQUEST_TIMEOUT_S = 5.0
# The first who comes starts the SSH server.
_SSH_START_S = 20.0
# Signed addresses and sessions compare times of several machines.
_SKEW_WARN_S = 5.0
_SKEW_FAIL_S = 60.0


def _version_of(*command: str) -> tuple[int, ...] | None:
    """The version that a program prints; None when it is not there or does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part) for part in found.groups("0")) if found else None


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(part) for part in version)


def check_git(context: Context) -> Check:
    """Whether the git program is there and new enough."""
    version = _version_of("git", "version")
    if version is None:
        return fail("git", "There is no git on the PATH.", f"Install git {_dotted(_GIT_NEEDED)} or newer.")
    if version < _GIT_NEEDED:
        return fail("git", f"git {_dotted(version)} is too old.", f"Install git {_dotted(_GIT_NEEDED)} or newer.")
    return ok("git", f"git {_dotted(version)}.")


def check_git_lfs(context: Context) -> Check:
    """Whether git-lfs is there; only people who clone on this machine need it, the hub itself does not."""
    version = _version_of("git-lfs", "version")
    advice = "Only needed to clone and push large files from here."
    if version is None:
        return warn("git-lfs", "There is no git-lfs on this machine.", advice)
    if version < _GIT_LFS_NEEDED:
        return warn("git-lfs", f"git-lfs {_dotted(version)} is old on this machine.", advice)
    return ok("git-lfs", f"git-lfs {_dotted(version)}.")


def check_hooks(context: Context) -> Check:
    """Whether git can run the hook scripts: without them no push passes."""
    for name in ("pre-receive", "post-receive"):
        path = hooks_path() / name
        if not path.is_file():
            return fail("hooks", f"The hook script {name} is missing.", "Install the hub again.")
        if not os.access(path, os.X_OK):
            return fail("hooks", f"The hook script {name} cannot be executed.", f"chmod +x {path}")
    return ok("hooks", "The hook scripts can be executed.")


def check_home(context: Context) -> Check:
    """Whether the data directory can be written to."""
    home = context.settings.home
    if not os.access(home, os.W_OK | os.X_OK):
        return fail("data directory", f"{home} cannot be written to.", "Give it to the user that the hub runs as.")
    return ok("data directory", f"{home} can be written to.")


def check_ssh(context: Context) -> Check:
    """Whether something answers like an SSH server where the hub's should."""
    settings = context.settings
    if not settings.ssh_port:
        return warn("ssh", "SSH is switched off; Git works over HTTP.", "Set HUB_SSH_PORT to offer it.")
    where = f"{settings.ssh_host}:{settings.ssh_port}"
    host = "127.0.0.1" if settings.ssh_host == "0.0.0.0" else "::1" if settings.ssh_host == "::" else settings.ssh_host
    try:
        with socket.create_connection((host, settings.ssh_port), timeout=_REQUEST_TIMEOUT_S) as connection:
            connection.settimeout(_SSH_START_S)
            is_ssh = connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return warn("ssh", f"Nothing answers at {where}.", "Start `hub serve` or `hub ssh`.")
    if not is_ssh:
        return fail("ssh", f"What answers at {where} is no SSH server.", "Choose another HUB_SSH_PORT.")
    if settings.ssh_host in ("127.0.0.1", "::1", "localhost"):
        return warn("ssh", f"The SSH server answers at {where}, which only this machine reaches.",
                    "Set HUB_SSH_HOST to 0.0.0.0 to offer it to others.")  # fmt: skip
    return ok("ssh", f"The SSH server answers at {where}.")


def check_storage_works(context: Context) -> Check:
    """Whether the store answers, and what is written can be read and removed again."""
    answer = check_storage(context)
    if answer.status != CheckStatus.OK:
        return answer
    store, key = context[STORE], f"staging/doctor-{uuid4().hex}"
    try:
        info = store.put(key, [_PROBE_BYTES], size_bytes=len(_PROBE_BYTES))
        try:
            if b"".join(store.open_range(key, 0, len(_PROBE_BYTES))) != _PROBE_BYTES:
                return fail("storage", "The store gave back other bytes than it took.", "Check the store itself.")
        finally:
            store.delete(key)
    except HubError as error:
        return fail("storage", f"Writing and reading failed: {error}", "Check the rights on the directory or bucket.")
    skew_s = abs((info.modified_at - datetime.now(UTC)).total_seconds())
    if skew_s > _SKEW_FAIL_S:
        return _skewed("storage", "object store", skew_s)
    return ok("storage", "What is written to the object store can be read and removed.")


def check_disk(context: Context) -> Check:
    """Whether the disks of the repositories and the home have room."""
    settings = context.settings
    needed = settings.min_free_disk_bytes
    least, where = min((shutil.disk_usage(_existing(path)).free, path) for path in _places(context))
    size, advice = f"{least / 2**30:.1f}", "Free some space (`hub gc`), or enlarge the disk."
    if least < needed:
        return fail("disk", f"{size} GiB are free at {where}; writes are refused.", advice)
    if least < 4 * needed:
        return warn("disk", f"{size} GiB are free at {where}.", advice)
    return ok("disk", f"{size} GiB are free at {where}.")


def _places(context: Context) -> list[Path]:
    return [context.settings.home, context.settings.repositories_path]


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def check_clock(context: Context) -> Check:
    """Whether this machine and the servers agree on the time."""
    skews: dict[str, float] = {}
    database = context[DATABASE]
    try:
        if not database.is_sqlite:
            with database.engine.connect() as connection:
                moment: datetime = connection.scalar(text("SELECT clock_timestamp()"))
                skews["database"] = abs((moment - datetime.now(UTC)).total_seconds())
        seconds, microseconds = context[REDIS].time()
        skews["Redis"] = abs(seconds + microseconds / 1e6 - datetime.now(UTC).timestamp())
    except (SQLAlchemyError, HubError, redis.RedisError, OSError):
        if not skews:
            return warn("clock", "No server was there to compare the time with.", "Start them, then ask again.")
    name, skew_s = max(skews.items(), key=lambda item: item[1])
    return _skewed("clock", name, skew_s) if skew_s > _SKEW_WARN_S else ok("clock", "The machines agree on the time.")


def _skewed(check: str, name: str, skew_s: float) -> Check:
    advice = "Keep both machines' clocks by NTP; signed addresses and sessions depend on them."
    message = f"The clock of the {name} differs from this machine's by {skew_s:.0f} s."
    return fail(check, message, advice) if skew_s > _SKEW_FAIL_S else warn(check, message, advice)


def check_base_url(context: Context) -> Check:
    """Whether the public address leads to this hub."""
    settings = context.settings
    url = settings.effective_base_url
    found = check_address(context, url)
    if found.status == CheckStatus.OK and not settings.base_url and settings.host in ("0.0.0.0", "::"):
        return warn("base-url", f"Clone addresses begin with {url}, which leads here from this machine only.",
                    "Set HUB_BASE_URL to the address that people use.")  # fmt: skip
    return found


def check_address(context: Context, url: str) -> Check:
    """Whether an address leads to this hub as this machine sees it. url: without a slash at its end."""
    try:
        answer = urllib3.request("GET", f"{url}/-/health", timeout=_REQUEST_TIMEOUT_S, retries=False)
    except urllib3.exceptions.HTTPError:
        return warn(
            "base-url", f"Nothing answers at {url}.", "Start `hub serve` or `hub web`, or correct HUB_BASE_URL."
        )
    try:
        found = answer.json()["instance"]
    except (ValueError, LookupError, TypeError):
        return fail("base-url", f"What answers at {url} is no hub (status {answer.status}).", _BASE_URL_ADVICE)
    if found != instance_id(context):
        return fail("base-url", f"Another hub answers at {url}.", _BASE_URL_ADVICE)
    return ok("base-url", f"{url} leads here.")


def check_search(context: Context) -> Check:
    """Whether the database has what the search is fast by."""
    try:
        if not has_full_text(context):
            return warn("search", "This SQLite has no FTS5: cards and code are not searched.", "Use PostgreSQL.")
        if not context[DATABASE].is_sqlite and not has_trigrams(context):
            return warn("search", "PostgreSQL lacks pg_trgm: searches read all rows, few slips are put right.",
                        "Install its contrib package; see the page on the search.")  # fmt: skip
    except SQLAlchemyError:
        return warn("search", "How the search works cannot be told without the database.", "Mend that first.")
    return ok("search", "Names, cards and code are searched by indexes.")


def check_mail(context: Context) -> Check:
    """Whether the mail server can be used; nothing is sent."""
    mailer = context[MAILER]
    if isinstance(mailer, LogMailer):
        return ok("mail", "E-mail goes into the log only; HUB_MAIL_URL names a server.")
    try:
        with mailer.session():
            return ok("mail", f"{mailer.describe()} takes e-mail from {mailer.sender.address}.")
    except Unavailable as error:
        return warn("mail", str(error), "Correct HUB_MAIL_URL; then try `hub mail test ADDRESS`.")


def check_license(context: Context) -> Check:
    """Whether the licence, if there is one, is in force."""
    standing = context[LICENSING].standing()
    if standing.license is None and standing.state == LicenseState.NONE:
        return ok("license", f"Edition {context[LICENSING].edition.title}; no licence is installed.")
    if standing.is_in_force:
        return ok("license", standing.message)
    return warn("license", standing.message, "See `hub license show`.")


_BASE_URL_ADVICE = "Point HUB_BASE_URL, or the proxy behind it, to this hub."
