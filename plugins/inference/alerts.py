"""Telling people, each time once: that a budget is nearly spent, and that an upstream refuses the hub."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from hub.plugin import Context, Role, get_logger
from hub.plugin.db import UnitOfWork, insert_new_keys, reading, unit_of_work
from hub.plugin.events import publish
from hub.plugin.jobs import JobRun, enqueue
from hub.plugin.notices import Notice, NotificationType, tell
from hub.plugin.policy import Member, Namespace, Organization, User
from hub.plugin.settings import settings_of
from plugins.inference.budgets import Purse
from plugins.inference.happenings import TELL_JOB, BudgetReached
from plugins.inference.models import Alert, ApiKey, ServedModel, Upstream
from plugins.inference.money import NANO, Budget, in_zone
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# Percent at which somebody is told. Source: gateway contract, section 1.6.
SOFT, HARD = (50, 80, 100), (80, 95, 100)
_RECEIVERS_AT_ONCE = 500
_TITLE_CHARS = 200
_MEANINGS = {401: "does not accept the hub's key", 403: "lets the hub's key do too little", 404: "has no such address"}


def note_spending(context: Context, purse: Purse, namespace_id: int, budget: Budget, spent_nano: int) -> None:
    """Tell of the thresholds that this much has passed: of each bound of the highest, if nobody was told of it yet."""
    start = budget.start_at(context.clock.now(), purse.zone)
    bounds = [
        (bound, limit_nano, [percent for percent in thresholds if spent_nano * 100 >= percent * limit_nano])
        for bound, limit_nano, thresholds in (("soft", budget.soft_nano, SOFT), ("hard", budget.hard_nano, HARD))
        if limit_nano
    ]
    words = {f"{bound} {percent}" for bound, _, passed in bounds for percent in passed}
    if not words:
        return
    with reading(context) as work:
        known = select(Alert.threshold).where(
            Alert.kind == purse.kind,
            Alert.whose == purse.word,
            Alert.period == budget.period,
            Alert.started_at == start,
        )
        if words <= {word for (word,) in work.rows(known)}:
            return
    with unit_of_work(context) as work:
        for bound, limit_nano, passed in bounds:
            told = [
                _note(work, purse.kind, purse.word, budget.period, start, f"{bound} {percent}") for percent in passed
            ]
            if told and told[-1]:
                event = BudgetReached(
                    *(namespace_id, purse.kind, purse.whose, budget.period, start),
                    *(bound, passed[-1], spent_nano, limit_nano, purse.model),
                )
                publish(work, event)
                _tell_of_budget(work, purse, event)


def _note(work: UnitOfWork, kind: str, whose: str, period: str, start: datetime, threshold: str) -> bool:
    """Whether nobody has been told of it yet; from now on somebody has."""
    about = {"kind": kind, "whose": whose, "period": period, "started_at": start, "threshold": threshold}
    return bool(insert_new_keys(work.session, Alert, [about | {"created_at": work.now()}]))


def _tell_of_budget(work: UnitOfWork, purse: Purse, event: BudgetReached) -> None:
    namespace = work.session.get(Namespace, event.namespace_id)
    if namespace is None:
        return
    whose = f"all API keys of {namespace.path}"
    if purse.kind in ("key", "model"):
        name = work.session.scalar(select(ApiKey.name).where(ApiKey.id == purse.id))
        whose = f"the API key {name} of {namespace.path}"
        if purse.model:
            whose += f" for {purse.model}"
    elif purse.kind == "member":
        name = work.session.scalar(select(User.name).where(User.id == purse.user_id))
        whose = f"the API keys that {name} made for {namespace.path}"
    currency = settings_of(work.context, InferenceSettings).currency
    began = in_zone(event.started_at, purse.zone)
    spent = f"{event.spent_nano / NANO:.2f} of {event.limit_nano / NANO:.2f} {currency}"
    after = " Further calls are refused." if event.bound == "hard" and event.percent == 100 else ""
    _ask_to_tell(
        work,
        title=f"{event.percent} % of the {event.bound} budget of {whose} are spent",
        summary=f"{spent} in the period {event.period} that began {began:%Y-%m-%d %H:%M} {purse.zone or 'UTC'}.{after}",
        namespace_id=event.namespace_id,
        user_id=purse.user_id or None,
    )


def tell_of_upstream(context: Context, upstream_id: int, status: int) -> None:
    """Tell administrators of the site, once a day, that an upstream answers that it does not know the hub.

    It may be called from any call that failed; what goes wrong here is logged.
    """
    # The hub's own deployments have no key that anybody could mend.
    if upstream_id <= 0:
        return
    today = context.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    about = (upstream_id, status, today)
    if about in _told:
        return
    try:
        with unit_of_work(context) as work:
            if _note(work, "upstream", str(upstream_id), "1d", today, f"status {status}"):
                query = select(ServedModel.name, Upstream.provider).join(Upstream, Upstream.model_id == ServedModel.id)
                found = work.session.execute(query.where(Upstream.id == upstream_id)).first()
                model, provider = found if found is not None else ("?", "")
                _ask_to_tell(
                    work,
                    title=f"An upstream of the model {model} {_MEANINGS.get(status, 'refuses the hub')}",
                    summary=f"Upstream {upstream_id} {provider} answered with status {status}.",
                    namespace_id=None,
                    user_id=None,
                )
    except Exception:
        log.exception("alert_failed", upstream_id=upstream_id, status=status)
        return
    if len(_told) > _MAX_TOLD:
        _told.clear()
    _told.add(about)


# What this process need not look up any more.
_told: set[tuple[int, int, datetime]] = set()
_MAX_TOLD = 1000


def _ask_to_tell(work: UnitOfWork, *, title: str, summary: str, namespace_id: int | None, user_id: int | None) -> None:
    args = {"key": str(uuid.uuid4()), "title": title[:_TITLE_CHARS], "summary": summary}
    enqueue(work, TELL_JOB, args=args | {"namespace_id": namespace_id, "user_id": user_id})


def tell_people(
    run: JobRun, *, key: str, title: str, summary: str, namespace_id: int | None, user_id: int | None
) -> None:
    """Tell an account's administrators, and a user whom it concerns; without an account those of the site.

    May be repeated: under one key everybody is told once.
    """
    notice = Notice(key, NotificationType.SYSTEM, title, summary)
    last_id = 0
    while True:
        run.check_cancelled()
        with unit_of_work(run.context) as work:
            whom = (User.is_active, _audience(namespace_id, user_id), User.id > last_id)
            query = select(User.id).where(*whom).order_by(User.id).limit(_RECEIVERS_AT_ONCE)
            ids: Sequence[int] = work.session.scalars(query).all()
            tell(work, notice, ids)
        if len(ids) < _RECEIVERS_AT_ONCE:
            return
        last_id = ids[-1]


def _audience(namespace_id: int | None, user_id: int | None) -> ColumnElement[bool]:
    if namespace_id is None:
        return User.is_admin.is_(True)
    administrators = (
        select(Member.user_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Organization.namespace_id == namespace_id, Member.role.in_((Role.ADMIN, Role.OWNER)))
    )
    return or_(User.namespace_id == namespace_id, User.id.in_(administrators), User.id == user_id)
