"""The one place where a workload's state is written: news of its driver, and what people ask for.

Only the newest start of a workload may change it; what comes late, and what may not follow, is logged and dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.texts import as_storable
from hub.compute.events import WorkloadChanged
from hub.compute.models import Desired, TaskState, TaskType, Workload, WorkloadTask
from hub.compute.reports import Instance, Status
from hub.compute.states import Code
from hub.compute.transitions import Cause, may_follow
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

MAX_MESSAGE_CHARS = 4000
MAX_REASON_CHARS = 128
_MAX_INSTANCES = 64

_TASK_STATES = {
    Code.DEPLOYING: TaskState.WORKING,
    Code.STARTUP: TaskState.WORKING,
    Code.RUNNING: TaskState.RUNNING,
    Code.SLEEPING: TaskState.RUNNING,
    Code.DEPLOY_FAILED: TaskState.FAILED,
    Code.RUNTIME_ERROR: TaskState.FAILED,
    Code.FAILED: TaskState.FAILED,
    Code.SUCCEEDED: TaskState.SUCCEEDED,
}


@dataclass(frozen=True)
class _News:
    """What is now so, as the columns have it."""

    code: Code
    reason: str = ""
    message: str = ""
    endpoint: str = ""
    instances: Sequence[Any] = ()
    actual: int = 0
    desired: int = 0


def lock_workload(work: UnitOfWork, workload_id: int) -> Workload | None:
    """The row, which nobody else changes until the end of the unit of work; None: there is none."""
    return work.session.scalar(
        select(Workload)
        .where(Workload.id == workload_id)
        .options(joinedload(Workload.user))
        .with_for_update(of=Workload)
        .execution_options(populate_existing=True)
    )


def apply_status(work: UnitOfWork, workload_id: int, status: Status) -> bool:
    """Write down what the driver says of a workload; whether it was news that may be believed."""
    workload = lock_workload(work, workload_id)
    if workload is None or not tells_news(workload, status):
        return False
    if workload.desired is not Desired.RUNNING:
        log.info("status_unwanted", workload_id=workload.id, code=int(status.code))
        return False
    return _move(work, workload, _news_of(workload, status), Cause.DRIVER, task=status.task_id)


def tells_news(workload: Workload, status: Status) -> bool:
    """Whether anything in it differs from what is written down, whatever it is worth."""
    return _news_of(workload, status) != _News(
        workload.state,
        workload.reason,
        workload.message,
        workload.endpoint,
        list(workload.instances),
        workload.actual_replicas,
        workload.desired_replicas,
    )


def _news_of(workload: Workload, status: Status) -> _News:
    code = status.code
    if code is Code.DEPLOY_FAILED and workload.has_run and workload.task_number == status.task_id:
        code = Code.RUNTIME_ERROR  # it did run: a driver that was started anew cannot know
    return _News(
        code,
        as_storable(status.reason)[:MAX_REASON_CHARS],
        as_storable(status.message)[-MAX_MESSAGE_CHARS:],
        status.endpoint[:8192],
        [_describe(instance) for instance in status.instances[:_MAX_INSTANCES]],
        status.actual,
        status.desired,
    )


def _describe(instance: Instance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "status": instance.status,
        "started_at": instance.started_at.isoformat() if instance.started_at else None,
        "restarts": instance.restarts,
        "exit_code": instance.exit_code,
    }


def promise(workload: Workload, desired: int = 0) -> None:
    """Write down what it takes while it is not stopped. desired: how many instances its load has made of it."""
    resources, count = workload.spec["resources"], max(workload.spec["replicas_min"], desired, 1)
    workload.cpu_millis = resources["cpu_millis"] * count
    workload.memory_bytes = resources["memory_bytes"] * count
    workload.gpu_count = resources["gpu_count"] * count


def note_accepted(work: UnitOfWork, workload_id: int, task: int) -> bool:
    """Write down that the driver has taken over a start; whether it is still the one that is wanted."""
    workload = lock_workload(work, workload_id)
    if workload is None or workload.desired is not Desired.RUNNING or workload.task_number != task:
        return False
    if workload.state in (Code.PENDING, Code.BUILD_SUCCESS):
        _move(work, workload, _News(Code.DEPLOYING), Cause.DRIVER, task=task)
    return True


def note_failed(work: UnitOfWork, workload_id: int, task: int, *, reason: str, message: str) -> bool:
    """Write down that a start came to nothing before, or after, the driver had it."""
    workload = lock_workload(work, workload_id)
    if workload is None or workload.desired is not Desired.RUNNING:
        return False
    is_over = workload.has_run
    code = Code.DEPLOY_FAILED
    if is_over:
        code = Code.FAILED if workload.kind == "job" else Code.RUNTIME_ERROR
    news = _News(code, reason[:MAX_REASON_CHARS], as_storable(message)[-MAX_MESSAGE_CHARS:])
    return _move(work, workload, news, Cause.DRIVER, task=task)


def note_waking(work: UnitOfWork, workload: Workload) -> bool:
    """Write down that a sleeping workload is being woken; the row is locked."""
    return _move(work, workload, _News(Code.DEPLOYING), Cause.DRIVER, task=workload.task_number)


def note_message(work: UnitOfWork, workload_id: int, task: int, message: str) -> None:
    """What people read while the start is being prepared."""
    work.session.execute(
        update(Workload)
        .where(Workload.id == workload_id, Workload.task_number == task, Workload.code == Code.PENDING)
        .values(message=message, status_at=work.now())
        .execution_options(synchronize_session=False)
    )


def begin(work: UnitOfWork, workload: Workload) -> bool:
    """A new start, on a locked row; whether its state allows one."""
    if not may_follow(workload.state, Code.PENDING, Cause.USER):
        return False
    workload.task_number += 1
    workload.desired = Desired.RUNNING
    workload.has_run = False
    workload.started_at = workload.released_at = None
    now = work.now()
    work.session.add(
        WorkloadTask(
            workload_id=workload.id, type=TaskType.RUN, number=workload.task_number, created_at=now, updated_at=now
        )
    )
    return _move(work, workload, _News(Code.PENDING), Cause.USER, task=workload.task_number)


def end(work: UnitOfWork, workload: Workload, code: Code) -> bool:
    """A stop or a deletion, on a locked row; whether it changed anything."""
    if not may_follow(workload.state, code, Cause.USER):
        return False
    workload.desired = Desired.DELETED if code is Code.DELETED else Desired.STOPPED
    workload.released_at = None
    if code is Code.DELETED:
        workload.deleted_at = work.now()
        workload.sealed_secrets = ""
    _note_task(work, workload, TaskState.CANCELLED)
    return _move(work, workload, _News(code), Cause.USER, task=workload.task_number)


def report_build(work: UnitOfWork, workload_id: int, code: Code, *, image: str = "", message: str = "") -> bool:
    """Write down how far the making of a workload's image is. image: what was made, with BUILD_SUCCESS."""
    workload = lock_workload(work, workload_id)
    if workload is None:
        return False
    if image:
        workload.spec = {**workload.spec, "image": image}
    news = _News(code, message=as_storable(message)[-MAX_MESSAGE_CHARS:])
    return _move(work, workload, news, Cause.BUILDER, task=workload.task_number)


def _move(work: UnitOfWork, workload: Workload, news: _News, cause: Cause, *, task: int) -> bool:
    old, replicas = workload.state, workload.actual_replicas
    if task != workload.task_number:
        log.info("status_stale", workload_id=workload.id, task=task, newest=workload.task_number)
        return False
    if not may_follow(old, news.code, cause):
        log.info("status_refused", workload_id=workload.id, old=int(old), new=int(news.code), cause=cause.value)
        return False
    now = work.now()
    workload.code = int(news.code)
    workload.reason, workload.message, workload.endpoint = news.reason, news.message, news.endpoint
    workload.instances = list(news.instances)
    workload.actual_replicas, workload.desired_replicas = news.actual, news.desired
    promise(workload, news.desired)
    workload.status_at = now
    if cause is not Cause.DRIVER:
        workload.updated_at = now
    if news.code is Code.RUNNING and not workload.has_run:
        workload.has_run, workload.started_at = True, now
    if old is not news.code or replicas != news.actual:
        if cause is Cause.DRIVER and news.code in _TASK_STATES:
            _note_task(work, workload, _TASK_STATES[news.code])
        log.info("workload_changed", workload_id=workload.id, old=int(old), new=int(news.code), reason=news.reason)
        publish(
            work,
            WorkloadChanged(workload.id, int(old), int(news.code), now, news.actual, workload.purpose),
        )
    work.session.flush()
    return True


def _note_task(work: UnitOfWork, workload: Workload, state: TaskState) -> None:
    work.session.execute(
        update(WorkloadTask)
        .where(
            WorkloadTask.workload_id == workload.id,
            WorkloadTask.type == TaskType.RUN,
            WorkloadTask.number == workload.task_number,
        )
        .values(state=state, message=workload.message, updated_at=work.now())
        .execution_options(synchronize_session=False)
    )
