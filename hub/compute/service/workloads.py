"""Making, finding, changing, stopping and deleting workloads. Starting is in ``starting``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor, require
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.paging import Page, PageArgs
from hub.base.secrets import SECRET, Sealer
from hub.base.texts import is_storable
from hub.compute.hardware import parse_hardware
from hub.compute.machines import MACHINES
from hub.compute.models import Desired, Sku, Workload, WorkloadTask
from hub.compute.service import applying
from hub.compute.service.naming import STOP_JOB, random_svc_name
from hub.compute.service.rules import (
    WORKLOAD_CREATE,
    WORKLOAD_READ,
    WORKLOAD_WRITE,
    may_see,
    require_workload,
)
from hub.compute.service.skus import find_sku
from hub.compute.spec import Kind, WorkloadSpec, check_secrets
from hub.compute.states import Code
from hub.compute.transitions import ENDED
from hub.db.uow import UnitOfWork
from hub.jobs.service import enqueue
from hub.repos.gates import require_content
from hub.repos.lookup import get_readable

SUBJECT = "workload"
_SEAL = "compute.secrets"
_MAX_TITLE = 128
_CHANGEABLE = frozenset(
    {
        *("image", "argv", "environment", "port", "health", "replicas_min", "replicas_max"),
        *("sleep_after_s", "deadline_s", "mounts", "labels"),
    }
)


def create_workload(
    work: UnitOfWork,
    *,
    actor: Actor,
    namespace: Namespace,
    purpose: str,
    spec: WorkloadSpec,
    title: str = "",
    secrets: Mapping[str, str] | None = None,
    sku_id: int | None = None,
    repository_id: int | None = None,
    commit_id: str = "",
    is_private: bool = True,
) -> Workload:
    """A new workload, which nobody has started yet.

    namespace: who is billed, and in whose lists it shows. purpose: the word of whoever makes it. spec: its name
    (``naming``) is its own for good; its number of the task does not count, and the SKU's resources replace its own.
    secrets: the values of ``spec.secrets``; they are kept sealed. The contents of mounts are those the actor may read.
    Raises Denied, NotFound (``sku_not_found``, a mount's repository), Invalid (``spec_invalid``, ``title_invalid``),
    Conflict (``svc_name_taken``).
    """
    require(work, actor, WORKLOAD_CREATE, namespace, what="namespace")
    if spec.kind is Kind.NOTEBOOK:
        is_private = True
    sku = None if sku_id is None else find_sku(work, sku_id)
    now = work.now()
    workload = Workload(
        svc_name=spec.svc_name,
        kind=spec.kind.value,
        purpose=purpose,
        title=_checked_title(title),
        namespace=work.session.get_one(Namespace, namespace.id),
        user=None if actor.user_id is None else work.session.get(User, actor.user_id),
        repository_id=repository_id,
        commit_id=commit_id,
        driver=work.context[MACHINES].name,
        is_private=is_private,
        code=int(Code.PENDING),
        status_at=now,
        released_at=now,
        created_at=now,
        updated_at=now,
    )
    _set_spec(work, workload, spec, sku)
    require_mounts(work, actor, spec)
    _seal(work.context, workload, spec, secrets or {})
    try:
        with work.savepoint():
            work.session.add(workload)
            work.session.flush()
    except IntegrityError:
        raise Conflict("There is a workload of that name already.", code="svc_name_taken") from None
    return workload


def new_spec(kind: Kind, **members: Any) -> WorkloadSpec:
    """A specification under a fresh name of its own. Raises Invalid (``spec_invalid``)."""
    return WorkloadSpec(svc_name=members.pop("svc_name", "") or random_svc_name(), kind=kind, task_id=1, **members)


def require_mounts(work: UnitOfWork, actor: Actor, spec: WorkloadSpec) -> None:
    """Return when the actor gets the contents of all mounts. Raises as reading a file of the repository would."""
    for mount in spec.mounts:
        repository = get_readable(
            work, actor=actor, kind=mount.kind, path=mount.path, repository_id=mount.repository_id or None
        )
        require_content(work, actor, repository)


def _set_spec(work: UnitOfWork, workload: Workload, spec: WorkloadSpec, sku: Sku | None) -> None:
    if sku is not None:
        spec = replace(spec, resources=parse_hardware(sku.resources).resources)
        workload.sku_id, workload.sku_name, workload.hardware = sku.id, sku.name, sku.resources
    workload.spec = spec.to_json()
    applying.promise(workload)


def _checked_title(title: str) -> str:
    if len(title) > _MAX_TITLE or not is_storable(title):
        raise Invalid(f"The title must have at most {_MAX_TITLE} characters.", code="title_invalid")
    return title


def _seal(context: Context, workload: Workload, spec: WorkloadSpec, secrets: Mapping[str, str]) -> None:
    check_secrets(spec, secrets)
    workload.sealed_secrets = Sealer(context[SECRET], _SEAL).seal(json.dumps(dict(secrets))) if secrets else ""


def open_secrets(context: Context, workload: Workload) -> dict[str, str]:
    """The values of its secrets, for its driver alone. Raises Failed (``seal_broken``)."""
    if not workload.sealed_secrets:
        return {}
    values: dict[str, str] = json.loads(Sealer(context[SECRET], _SEAL).open(workload.sealed_secrets))
    return values


def get_workload(
    work: UnitOfWork,
    *,
    actor: Actor,
    workload_id: int | None = None,
    uuid: str = "",
    svc_name: str = "",
    permission: str = WORKLOAD_READ,
) -> Workload:
    """The workload of that id, uuid or name, when the actor may do that much with it.

    Raises NotFound (``workload_not_found``): none, deleted, or the actor may not know of it; NotSignedIn, Denied.
    """
    query = select(Workload).where(Workload.desired != Desired.DELETED)
    if workload_id is not None:
        query = query.where(Workload.id == workload_id)
    elif uuid:
        query = query.where(Workload.uuid == uuid)
    else:
        query = query.where(Workload.svc_name == svc_name)
    workload = work.session.scalar(query.options(joinedload(Workload.user)))
    if workload is None:
        raise _missing()
    require_workload(work, actor, permission, workload)
    return workload


def _missing() -> NotFound:
    return NotFound("There is no such workload, or you may not see it.", code="workload_not_found")


def list_workloads(
    work: UnitOfWork,
    *,
    actor: Actor,
    purpose: str = "",
    kind: str = "",
    namespace_id: int | None = None,
    user_id: int | None = None,
    repository_id: int | None = None,
    codes: Collection[Code] = (),
    page: PageArgs | None = None,
) -> Page[Workload]:
    """The workloads that the actor may see, the newest first; those that were deleted are in no list."""
    page = page or PageArgs()
    if not is_storable(purpose):
        return Page([], 0)
    conditions = [Workload.desired != Desired.DELETED, may_see(actor)]
    for column, value in (
        (Workload.purpose, purpose or None),
        (Workload.kind, kind or None),
        (Workload.namespace_id, namespace_id),
        (Workload.user_id, user_id),
        (Workload.repository_id, repository_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if codes:
        conditions.append(Workload.code.in_([int(code) for code in codes]))
    total = work.session.scalar(select(func.count(Workload.id)).where(*conditions)) or 0
    query = select(Workload).where(*conditions).options(joinedload(Workload.user)).order_by(Workload.id.desc())
    return Page(work.session.scalars(query.offset(page.offset).limit(page.per)).all(), total)


def update_workload(
    work: UnitOfWork,
    *,
    actor: Actor,
    workload_id: int,
    title: str | None = None,
    sku_id: int | None = None,
    is_private: bool | None = None,
    commit_id: str | None = None,
    secrets: Mapping[str, str] | None = None,
    **changes: Any,
) -> Workload:
    """Change what is not running; None, and what is not named, stays.

    changes: members of the specification. secrets: all of them anew. Raises Conflict (``workload_running``: stop it
    first), Invalid, and as ``create_workload``.
    """
    workload = _lock(work, actor, workload_id)
    if workload.desired is Desired.RUNNING and workload.state not in ENDED:
        raise Conflict("It is running; stop it first.", code="workload_running")
    if unknown := set(changes) - _CHANGEABLE:
        raise Invalid(f"{sorted(unknown)[0]!r} cannot be changed.", code="spec_invalid")
    spec = replace(workload.parsed_spec, **changes)
    if secrets is not None:
        spec = replace(spec, secrets=tuple(secrets))
        _seal(work.context, workload, spec, secrets)
    if spec.mounts != workload.parsed_spec.mounts:
        require_mounts(work, actor, spec)
    _set_spec(work, workload, spec, None if sku_id is None else find_sku(work, sku_id))
    if title is not None:
        workload.title = _checked_title(title)
    if is_private is not None:
        workload.is_private = is_private or workload.kind == Kind.NOTEBOOK
    if commit_id is not None:
        workload.commit_id = commit_id
    workload.updated_at = work.now()
    work.session.flush()
    return workload


def stop_workload(work: UnitOfWork, *, actor: Actor, workload_id: int) -> Workload:
    """Stop it; its row stays, and it can be started again. What is stopped, or has ended, stays as it is."""
    workload = _lock(work, actor, workload_id)
    if applying.end(work, workload, Code.STOPPED):
        request_stop(work, workload)
    return workload


def delete_workload(work: UnitOfWork, *, actor: Actor, workload_id: int) -> None:
    """Stop it and show it no more. Its secrets are forgotten now, its logs and files when its driver has heard."""
    workload = _lock(work, actor, workload_id)
    if applying.end(work, workload, Code.DELETED):
        request_stop(work, workload)


def request_stop(work: UnitOfWork, workload: Workload) -> None:
    """Have the driver told that it is not wanted any more."""
    enqueue(
        work,
        STOP_JOB,
        args={"workload_id": workload.id},
        unique_key=f"{STOP_JOB}:{workload.id}",
        subject=(SUBJECT, workload.id),
    )


def _lock(work: UnitOfWork, actor: Actor, workload_id: int) -> Workload:
    workload = applying.lock_workload(work, workload_id)
    if workload is None or workload.desired is Desired.DELETED:
        raise _missing()
    require_workload(work, actor, WORKLOAD_WRITE, workload)
    return workload


def lock_for(work: UnitOfWork, *, actor: Actor, workload_id: int) -> Workload:
    """The row, locked, of one that the actor may change. Raises as ``get_workload``."""
    return _lock(work, actor, workload_id)


def list_tasks(work: UnitOfWork, workload: Workload, *, limit: int = 20) -> Sequence[WorkloadTask]:
    """The last starts and builds of a workload that the actor was allowed to see, the newest first."""
    query = select(WorkloadTask).where(WorkloadTask.workload_id == workload.id)
    return work.session.scalars(query.order_by(WorkloadTask.id.desc()).limit(limit)).all()
