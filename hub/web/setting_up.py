"""The set-up of a new hub, step by step: what the steps are, and the settings that come out of them as a file.

The pages change nothing but the database: what only the environment or ``hub.toml`` can set is shown with the line to
write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Response
from flask_babel import lazy_gettext

from hub.base.context import Context
from hub.base.effective import MASK, ORIGINS, describe_settings
from hub.base.errors import HubError
from hub.base.health import Check, HealthCheck
from hub.base.settings import Settings
from hub.http.checks import (
    check_clock,
    check_disk,
    check_git,
    check_git_lfs,
    check_home,
    check_hooks,
    check_search,
    check_ssh,
    check_storage_works,
)
from hub.http.health import check_database, check_migrations, check_redis, run_check
from hub.objects.store import STORE

STEPS = {
    "language": lazy_gettext("Language"),
    "environment": lazy_gettext("This machine"),
    "address": lazy_gettext("Address"),
    "administrator": lazy_gettext("Administrator"),
    "edition": lazy_gettext("Edition"),
    "storage": lazy_gettext("Storage and limits"),
    "mail": lazy_gettext("E-mail"),
    "content": lazy_gettext("Content"),
    "finish": lazy_gettext("First push"),
}
# They are done before there is anybody to sign in.
OPEN_STEPS = ("language", "environment", "address", "administrator")

ENVIRONMENT_CHECKS: Sequence[HealthCheck] = (
    check_home,
    check_database,
    check_migrations,
    check_redis,
    check_storage_works,
    check_disk,
    check_git,
    check_git_lfs,
    check_hooks,
    check_ssh,
    check_clock,
    check_search,
)
LIMITS = (
    *("storage_url", "storage_direct", "database_url", "quota_bytes", "max_lfs_object_size_bytes"),
    *("max_blob_size_bytes", "max_push_size_bytes", "min_free_disk_bytes", "registration"),
)
_PROBE_KEY = "staging/setup-probe-"
_PROBE_S = 900


def look_at_environment(context: Context) -> list[Check]:
    """What all that the hub needs on its machine is like; some seconds where something is away."""
    return [run_check(check, context) for check in ENVIRONMENT_CHECKS]


def config_path(settings: Settings) -> Path:
    """Where the file with the settings lies, or would."""
    named = os.environ.get("HUB_CONFIG", "")
    return Path(named) if named else settings.home / "hub.toml"


def describe_limits(context: Context) -> list[dict[str, Any]]:
    """The settings of storage and limits, as they are in force."""
    rows = {row["name"]: row for row in describe_settings(context.settings, context[ORIGINS])}
    return [rows[name] for name in LIMITS]


def write_config(context: Context, *, base_url: str) -> str:
    """The text of a ``hub.toml`` that sets a hub up like this one, without secrets. base_url: that was chosen."""
    lines = ["# Made by the set-up of this hub. Secrets are left out; HUB_* variables win over this file."]
    values = dict(_changed(context)) | ({"base_url": base_url} if base_url else {})
    lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
    hidden = [row["name"] for row in describe_settings(context.settings, context[ORIGINS]) if row["value"] == MASK]
    lines += [f"# {name} is set, and a secret" for name in hidden]
    return "\n".join(lines) + "\n"


def _changed(context: Context) -> Iterator[tuple[str, Any]]:
    """The settings that were set, in their order."""
    for row in describe_settings(context.settings, context[ORIGINS]):
        if row["origin"] != "default" and row["value"] != MASK and row["name"] != "home":
            yield row["name"], row["value"]


def _toml(value: Any) -> str:
    # A JSON string is a TOML basic string.
    return (
        str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else json.dumps(value)
    )


def make_store_probe(context: Context) -> str:
    """A signed address of a small object in the store, for a browser to try; "" where the hub itself sends contents."""
    settings, store = context.settings, context[STORE]
    if not (settings.storage_url.startswith("s3:") and settings.storage_direct):
        return ""
    key = f"{_PROBE_KEY}{uuid4().hex}"
    with suppress(HubError):
        store.put(key, [b"hub"], size_bytes=3)
        # It goes with what else is left over in the staging area.
        return store.presign_get(key, expires_s=_PROBE_S)
    return ""


def let_reach(response: Response, url: str) -> None:
    """Let the page's scripts ask at this address, too, to find out whether it leads here."""
    origin, policy = "/".join(url.split("/")[:3]), response.headers["Content-Security-Policy"]
    if origin not in policy:
        response.headers["Content-Security-Policy"] = policy.replace(
            "connect-src 'self'", f"connect-src 'self' {origin}"
        )
