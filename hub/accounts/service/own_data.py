"""A copy of everything that is somebody's own: a ZIP of JSON files, made by a job and kept for some days.

Each room adds the tables that it has of people (the registry ``OWN_DATA``). Secrets are in none of them: of tokens
there are the names, of passwords nothing. The job's uuid names the archive in the object store, so there is one for
each time somebody asks, and who asks again while one is being made gets that.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import Select, select

from hub.accounts.models import AccessToken, Member, Organization, SSHKey, User, WebSession
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service.users import get_own_user
from hub.base.context import Context, Key
from hub.base.errors import Conflict, NotFound
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork, reading
from hub.jobs.models import Job, JobState
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, list_jobs, register
from hub.objects.store import STORE, ObjectInfo

log = get_logger(__name__)

JOB = "accounts.own_data"
SUBJECT = "own_data"
KEPT = timedelta(days=7)

_PREFIX = "own-data/"
_CHUNK_BYTES = 1024 * 1024
_ROWS_AT_ONCE = 500

# ``table(work, user)``: the rows of one file, as what JSON can say and moments.
Table = Callable[[UnitOfWork, User], Iterable[Mapping[str, Any]]]
OWN_DATA: Key[Registry[Table]] = Key("accounts.own_data")


@dataclass(frozen=True)
class Copy:
    """The last copy that somebody asked for. size_bytes, ready_at: None while there is none to download."""

    state: JobState
    asked_at: datetime
    ready_at: datetime | None = None
    size_bytes: int | None = None


def install(context: Context) -> None:
    """Register the job and the room's own tables; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.accounts.service.own_data:make_copy", timeout_s=3600))
    tables: Registry[Table] = Registry("tables of people's own data")
    for name, table in _TABLES.items():
        tables.add(name, table)
    context.provide(OWN_DATA, tables)


def ask_for_copy(work: UnitOfWork, *, actor: Actor) -> Copy:
    """Have a copy of the actor's data made. Raises NotSignedIn, Denied; Conflict (``copy_running``)."""
    user = _own(work, actor)
    last = _find(work, user)
    if last is not None and last.state == JobState.RUNNING:
        raise Conflict("A copy is being made already.", code="copy_running")
    key = f"{JOB}.{user.id}"
    job = enqueue(
        work, JOB, args={"user_id": user.id}, unique_key=key, subject=(SUBJECT, user.id), actor_id=actor.user_id
    )
    log.info("own_data_asked", user_id=user.id)
    return Copy(job.state, job.created_at)


def find_copy(work: UnitOfWork, *, actor: Actor) -> Copy | None:
    """The last copy that the actor asked for; None: none, or it is kept no more. Raises NotSignedIn, Denied."""
    job = _find(work, _own(work, actor))
    if job is None or job.state != JobState.SUCCEEDED:
        return Copy(job.state, job.created_at) if job else None
    info = work.context[STORE].find(_key(job))
    return Copy(job.state, job.created_at, info.modified_at, info.size_bytes) if info else None


def open_copy(work: UnitOfWork, *, actor: Actor) -> ObjectInfo:
    """Where the object store has the actor's last copy.

    Raises NotSignedIn, Denied; NotFound (``copy_not_found``): there is none, or not yet.
    """
    job = _find(work, _own(work, actor))
    info = work.context[STORE].find(_key(job)) if job and job.state == JobState.SUCCEEDED else None
    if info is None:
        raise NotFound("There is no copy of your data to download.", code="copy_not_found")
    return info


def _own(work: UnitOfWork, actor: Actor) -> User:
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    return user


def _find(work: UnitOfWork, user: User) -> Job | None:
    return next(iter(list_jobs(work, name=JOB, subject=(SUBJECT, user.id)).items), None)


def _key(job: Job) -> str:
    return f"{_PREFIX}{job.uuid}"


def make_copy(run: JobRun, *, user_id: int) -> None:
    """Write the archive: table by table, row by row, so that it takes little memory however much somebody wrote."""
    context = run.context
    with tempfile.TemporaryFile() as file:
        with reading(context) as work, ZipFile(file, "w", ZIP_DEFLATED) as archive:
            user = work.session.get(User, user_id)
            if user is None:
                run.log("The account is gone.")
                return
            for name in context[OWN_DATA]:
                run.check_cancelled()
                with archive.open(f"{user.name}/{name}.json", "w") as entry:
                    count = _write(entry, context[OWN_DATA][name](work, user))
                run.log(f"{name}: {count}")
        file.seek(0)
        context[STORE].put(f"{_PREFIX}{run.uuid}", iter(lambda: file.read(_CHUNK_BYTES), b""))


def _write(entry: IO[bytes], rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    entry.write(b"[")
    for count, row in enumerate(rows, start=1):
        text = json.dumps(row, default=_as_text, ensure_ascii=False, indent=1)
        entry.write((",\n" if count > 1 else "\n").encode() + text.encode("utf-8", "replace"))
    entry.write(b"\n]\n")
    return count


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def sweep_copies(context: Context, *, now: datetime) -> int:
    """Remove the copies that were kept long enough; how many."""
    store = context[STORE]
    old = [info.key for info in store.list(_PREFIX) if info.modified_at < now - KEPT]
    store.delete_many(old)
    return len(old)


def iterate_rows(work: UnitOfWork, query: Select[*tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """The rows of an ordered query as mappings, some hundreds read at a time."""
    offset = 0
    while rows := work.session.execute(query.offset(offset).limit(_ROWS_AT_ONCE)).mappings().all():
        yield from map(dict, rows)
        offset += len(rows)


# The room's own tables.

_ACCOUNT = ("uuid", "name", "email", "nickname", "bio", "homepage", "avatar", "created_at", "last_login_at")
_TOKEN = ("app", "name", "scope", "created_at", "expires_at", "last_used_at")
_SSH_KEY = ("name", "public_key", "fingerprint_sha256", "created_at", "last_used_at")
_SESSION = ("user_agent", "address", "created_at", "last_seen_at", "expires_at")


def _account(_work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    yield {name: getattr(user, name) for name in _ACCOUNT}


def _organizations(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    query = select(Organization.name, Organization.display_name, Member.role, Member.created_at.label("since"))
    joined = query.join(Member, Member.organization_id == Organization.id).where(Member.user_id == user.id)
    return iterate_rows(work, joined.order_by(Organization.name))


def _of(model: type[AccessToken] | type[SSHKey] | type[WebSession], names: tuple[str, ...]) -> Table:
    def table(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
        query = select(*(getattr(model, name) for name in names))
        return iterate_rows(work, query.where(model.user_id == user.id).order_by(model.id))

    return table


_TABLES: Mapping[str, Table] = {
    "account": _account,
    "organizations": _organizations,
    "access_tokens": _of(AccessToken, _TOKEN),
    "ssh_keys": _of(SSHKey, _SSH_KEY),
    "sessions": _of(WebSession, _SESSION),
}
