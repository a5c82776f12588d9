"""What the console tells of the hub's running: what it stands on, versions, room, and what is left to set up."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from flask_babel import gettext

from hub import __version__
from hub.base.context import Context
from hub.base.effective import ORIGINS, describe_settings
from hub.base.health import Check
from hub.base.log import get_logger
from hub.base.mail import MAILER, LogMailer
from hub.base.metrics import METRICS
from hub.db import revisions
from hub.db.engine import DATABASE
from hub.http.checks import (
    check_base_url,
    check_clock,
    check_disk,
    check_git,
    check_hooks,
    check_license,
    check_mail,
    check_search,
    check_ssh,
)
from hub.http.health import READY_CHECKS, PluginChecks, instance_id, run_check
from hub.jobs.health import check_scheduler, check_workers
from hub.jobs.overview import QueueStanding
from hub.licensing.judge import Standing
from hub.licensing.service import LICENSING
from hub.objects.disk import existing_ancestor
from hub.objects.store import STORE

log = get_logger(__name__)

# What answers within milliseconds; and what may take some seconds when something is wrong.
_QUICK: Sequence[Callable[[Context], Check]] = (*READY_CHECKS, check_workers, check_scheduler)
_SLOW: Sequence[Callable[[Context], Check]] = (
    *(check_git, check_hooks, check_ssh, check_disk, check_clock),
    *(check_base_url, check_search, check_mail, check_license),
)
_PLUGINS = PluginChecks()
# Of the plugin that keeps contents in chunks, where it runs.
_XET_METRIC = "hub_xnet_stored_bytes"


@dataclass(frozen=True)
class Look:
    """What a look has found, and how long it took."""

    check: Check
    took_ms: float


@dataclass(frozen=True)
class Place:
    """A disk. free_bytes: None where the store cannot tell."""

    title: str
    where: str
    free_bytes: int | None
    total_bytes: int | None = None


@dataclass(frozen=True)
class Step:
    """Something that a hub for many people has. how: what to do; empty when it is done."""

    title: str
    is_done: bool
    how: str


def look_quickly(context: Context) -> list[Look]:
    """What the hub cannot be without."""
    return [_look(check, context) for check in _QUICK]


def look_around(context: Context) -> list[Look]:
    """Everything that the hub stands on, its plugins' own included; it can take some seconds."""
    looks = [_look(check, context) for check in (*_QUICK, *_SLOW)]
    begun = time.perf_counter()
    plugins = _PLUGINS.run(context)
    took_ms = (time.perf_counter() - begun) * 1000
    return looks + [Look(check, took_ms) for check in plugins]


def _look(check: Callable[[Context], Check], context: Context) -> Look:
    begun = time.perf_counter()
    found = run_check(check, context)
    return Look(found, (time.perf_counter() - begun) * 1000)


def xet_bytes(context: Context) -> int | None:
    """What is kept in chunks (Xet); None where no plugin does so."""
    metric = context[METRICS].find(_XET_METRIC) if METRICS in context else None
    return int(sum(sample.value for sample in metric.read(context))) if metric is not None else None


def free_space(context: Context) -> list[Place]:
    """The disks, and how much room is left on each."""
    settings = context.settings
    repositories = shutil.disk_usage(existing_ancestor(settings.repositories_path))
    home = shutil.disk_usage(existing_ancestor(settings.home))
    return [
        Place(gettext("Repositories"), str(settings.repositories_path), repositories.free, repositories.total),
        Place(gettext("Data directory"), str(settings.home), home.free, home.total),
        Place(gettext("Object store"), _without_secrets(settings.effective_storage_url), context[STORE].free_bytes()),
    ]


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def describe_versions(context: Context) -> dict[str, str]:
    """What runs here, by name."""
    database, database_version = context[DATABASE].describe()
    return {
        "Hub": __version__,
        "Edition": context[LICENSING].edition.title,
        "Python": platform.python_version(),
        database: database_version,
        "Git": check_git(context).message.removeprefix("git ").rstrip("."),
        "System": f"{platform.system()} {platform.release()} ({platform.machine()})",
        **{name: version(name) for name in ("Flask", "SQLAlchemy", "gunicorn", "gevent", "redis", "rq")},
        "Instance": instance_id(context),
    }


def describe_migrations(context: Context) -> dict[str, Any]:
    """What the database has of this release's migrations."""
    database = context[DATABASE]
    release = revisions.read_revisions()
    return {
        "is_current": revisions.is_current(database),
        "current": sorted(revisions.current_revisions(database)),
        "heads": sorted(release.heads),
        "known": len(release.known),
    }


def list_steps(context: Context, standing: Standing) -> list[Step]:
    """What is to be done before others work with this hub, in the order in which one does it."""
    settings = context.settings
    is_https = settings.base_url.startswith("https:")
    mails = not isinstance(context[MAILER], LogMailer)
    steps = (
        (
            gettext("The address that people use is set"),
            bool(settings.base_url),
            'base_url = "https://hub.example.org"',
        ),
        (gettext("It is reached by HTTPS"), is_https, gettext("Put a proxy with a certificate in front of the hub.")),
        (gettext("E-mail goes out"), mails, 'mail_url = "smtp://USER:PASSWORD@mail.example.org:587"'),
        (
            gettext("Accounts have a quota"),
            bool(settings.quota_bytes),
            f"quota_bytes = {100 * 2**30}",
        ),
        (
            gettext("The licence, if any, is in force"),
            standing.license is None or standing.is_in_force,
            gettext("See the section on the licence."),
        ),
    )
    return [Step(title, is_done, "" if is_done else how) for title, is_done, how in steps]


def diagnose(context: Context, *, queues: Sequence[QueueStanding]) -> dict[str, Any]:
    """Versions, looks, settings with secrets masked, and figures, for who is asked for help."""
    figures: dict[str, Any] = {}
    for metric in context[METRICS].values():
        try:
            figures[metric.name] = [{**sample.labels, "value": sample.value} for sample in metric.read(context)]
        except Exception:
            log.exception("metric_failed", metric=metric.name)
    return {
        "versions": describe_versions(context),
        "migrations": describe_migrations(context),
        "checks": [asdict(look.check) | {"took_ms": round(look.took_ms, 1)} for look in look_around(context)],
        "settings": list(describe_settings(context.settings, context[ORIGINS])),
        "queues": [
            {"name": queue.name, **{state.value: count for state, count in queue.counts.items()}} for queue in queues
        ],
        "figures": figures,
    }
