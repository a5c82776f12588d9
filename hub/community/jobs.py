"""The room's background work: telling many, and forgetting what is old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, true

from hub.accounts.models import User
from hub.base.context import Context
from hub.community.mail import prune_mails
from hub.community.models import ClientEvent, Notification, NotificationSetting, NotificationType
from hub.community.notices import NOTIFY_JOB, compose
from hub.community.service.attachments import sweep_attachments
from hub.community.service.notifications import SEND_JOB, Notice, kept_for, tell
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register

_RECEIVERS_AT_ONCE = 500
_PRUNE_BATCH = 1000


def install(context: Context) -> None:
    """Register the room's jobs and their schedules; done once, by ``build_context``."""
    register(context, JobSpec(NOTIFY_JOB, "hub.community.jobs:notify", timeout_s=1800))
    register(context, JobSpec(SEND_JOB, "hub.community.jobs:send", timeout_s=3600))
    register(context, JobSpec("community.prune", "hub.community.jobs:prune", timeout_s=3600))
    register_schedule(context, Schedule("community.prune", "25 3 * * *", "community.prune"))


def notify(run: JobRun, **args: Any) -> None:
    """Tell those whom an event concerns; see ``notices``."""
    with reading(run.context) as work:
        addressed = compose(work, run.uuid, **args)
    for notice, whom in addressed:
        _tell_each(run, notice, whom)


def send(run: JobRun, *, notice: dict[str, Any], user_ids: list[int] | None) -> None:
    """Tell what an administrator has to say to those users, or (None) to all."""
    message = Notice(**notice | {"type": NotificationType(notice["type"])})
    _tell_each(run, message, true() if user_ids is None else User.id.in_(user_ids))


def _tell_each(run: JobRun, notice: Notice, whom: ColumnElement[bool]) -> None:
    """Tell every active user of those, some hundreds in a transaction. May be repeated: nobody is told twice."""
    last_id, told = 0, 0
    while True:
        run.check_cancelled()
        with unit_of_work(run.context) as work:
            batch = (
                select(User.id)
                .where(User.is_active, whom, User.id > last_id)
                .order_by(User.id)
                .limit(_RECEIVERS_AT_ONCE)
            )
            ids = work.session.scalars(batch).all()
            told += tell(work, notice, ids)
        if len(ids) < _RECEIVERS_AT_ONCE:
            break
        last_id = ids[-1]
        run.progress(told, unit="users")
    run.log(f"Told {told} users.")


def prune(run: JobRun) -> None:
    """Forget the notifications that were read long ago, old reports of clients, and attachments without a row."""
    settings, now = run.context.settings, run.context.clock.now()
    read_before = now - timedelta(seconds=settings.notification_ttl_s)
    count = _prune(run, Notification, or_(Notification.read_at < read_before, Notification.archived_at < read_before))
    count += _prune_by_wish(run, now)
    run.log(f"Forgot {count} notifications.")
    sent_before = now - timedelta(seconds=settings.client_event_ttl_s)
    count = _prune(run, ClientEvent, ClientEvent.created_at < sent_before)
    run.log(f"Forgot {count} reports of clients.")
    run.log(f"Forgot {prune_mails(run.context)} e-mails.")
    if count := sweep_attachments(run.context, now=now):
        run.log(f"Removed {count} attachments that nothing leads to.")


def _prune_by_wish(run: JobRun, now: datetime) -> int:
    """Forget what is older than its reader wants to keep anything, read or not."""
    last_id = removed = 0
    while True:
        run.check_cancelled()
        with reading(run.context) as work:
            settings = work.session.scalars(
                select(NotificationSetting)
                .where(NotificationSetting.user_id > last_id)
                .order_by(NotificationSetting.user_id)
                .limit(_RECEIVERS_AT_ONCE)
            ).all()
        for setting in settings:
            if (kept := kept_for(setting)) is not None:
                own = (Notification.user_id == setting.user_id, Notification.created_at < now - kept)
                removed += _prune(run, Notification, and_(*own))
        if len(settings) < _RECEIVERS_AT_ONCE:
            return removed
        last_id = settings[-1].user_id


def _prune(run: JobRun, model: type[Notification] | type[ClientEvent], is_old: ColumnElement[bool]) -> int:
    removed = 0
    while True:
        run.check_cancelled()
        with unit_of_work(run.context) as work:
            ids = work.session.scalars(select(model.id).where(is_old).limit(_PRUNE_BATCH)).all()
            if ids:
                work.session.execute(delete(model).where(model.id.in_(ids)))
        removed += len(ids)
        if len(ids) < _PRUNE_BATCH:
            return removed
