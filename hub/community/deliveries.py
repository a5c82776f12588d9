"""The sending of webhooks' messages: sign, send, write down what became of it, try again, give up."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.engine import CursorResult

from hub.accounts.models import Namespace, NamespaceKind, User
from hub.accounts.policy import Action, Actor, can
from hub.base.context import Context
from hub.base.errors import Failed, HubError, Invalid, Unavailable
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.outgoing import OUTGOING, Answer
from hub.base.secrets import SECRET, Sealer
from hub.community.events import WebhookDisabled
from hub.community.models import DeliveryState, Webhook, WebhookDelivery
from hub.community.outbox import DELIVER_JOB
from hub.community.reports import DIALECT
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register
from hub.repos.models import Repository

log = get_logger(__name__)

PRUNE_JOB = "community.prune_deliveries"
PING_TOPIC = "ping"
# The pauses between the tries of one delivery, a little over an hour in all.
PAUSES_S = (30.0, 300.0, 900.0, 2700.0)
MAX_TRIES = len(PAUSES_S) + 1
# So many messages in a row that nobody took, and the webhook is switched off.
MAX_FAILURES = 10
MAX_LOGGED_BODY_BYTES = 4096
# What is still pending then was lost by its job; every try is long over.
_STALE = timedelta(days=1)
_PRUNE_BATCH = 500


def install(context: Context) -> None:
    """Register the jobs and their schedule; done once, by ``build_context``."""
    # A try that its worker does not survive costs the job an attempt, and the delivery none.
    register(
        context,
        JobSpec(
            DELIVER_JOB,
            "hub.community.deliveries:deliver_job",
            queue="webhooks",
            timeout_s=context.settings.outgoing_timeout_s + 60,
            max_attempts=MAX_TRIES + 5,
            backoff_s=PAUSES_S,
        ),
    )
    register(context, JobSpec(PRUNE_JOB, "hub.community.deliveries:prune_job", timeout_s=1800))
    register_schedule(context, Schedule(PRUNE_JOB, "50 3 * * *", PRUNE_JOB))


def sealer(context: Context) -> Sealer:
    """What keeps the secrets of webhooks."""
    return Sealer(context[SECRET], "webhooks")


def sign(secret: str, body: bytes) -> str:
    """The value of ``X-Hub-Signature-256``: as other forges sign, the HMAC-SHA-256 of the body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class _Letter:
    """What is sent, and where to."""

    uuid: str
    topic: str
    body: bytes
    url: str
    secret: str
    dialect: str


def deliver_job(run: JobRun, *, delivery_id: int) -> None:
    """Send one message. Raises Unavailable, for the job's next attempt, when it must be tried again."""
    error = deliver(run.context, delivery_id)
    if error:
        run.log(error)
        raise Unavailable(error)


def deliver(context: Context, delivery_id: int) -> str:
    """Send a message that is pending, once, and note what became of it; why it must be tried again, or empty."""
    try:
        letter = _open(context, delivery_id)
    except HubError as error:
        _note(context, delivery_id, error=str(error), is_final=True)
        return ""
    if letter is None:
        return ""
    started = time.monotonic()
    try:
        answer = context[OUTGOING].send(
            "POST",
            letter.url,
            body=letter.body,
            headers=_headers(context, letter),
            max_answer_bytes=MAX_LOGGED_BODY_BYTES,
        )
    except Invalid as error:  # refused, and it would be again
        _note(context, delivery_id, error=str(error), is_final=True)
        return ""
    except Unavailable as error:
        return _note(context, delivery_id, error=str(error), duration_s=time.monotonic() - started)
    return _note(context, delivery_id, answer=answer, duration_s=time.monotonic() - started)


def _headers(context: Context, letter: _Letter) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "hub-webhook",
        "X-Hub-Event": letter.topic,
        "X-Hub-Delivery": letter.uuid,
        "X-Hub-Timestamp": str(int(context.clock.now().timestamp())),
    }
    if letter.secret and letter.dialect == DIALECT:
        headers["X-Webhook-Secret"] = letter.secret
    elif letter.secret:
        headers["X-Hub-Signature-256"] = sign(letter.secret, letter.body)
    return headers


def _open(context: Context, delivery_id: int) -> _Letter | None:
    """What is to be sent; None when it is settled already, or gone. Raises HubError when it must not be sent."""
    with reading(context) as work:
        delivery = work.session.get(WebhookDelivery, delivery_id)
        if delivery is None or delivery.state != DeliveryState.PENDING:
            return None
        webhook = work.session.get_one(Webhook, delivery.webhook_id)
        if not webhook.is_active and not _is_asked_for(delivery):
            raise Failed("The webhook is switched off.")
        if not _may_be_told(work, webhook, delivery):
            raise Failed("Who set the webhook up may not see this, or has no right to a webhook here any more.")
        secret = sealer(context).open(webhook.sealed_secret) if webhook.sealed_secret else ""
        return _Letter(delivery.uuid, delivery.topic, delivery.payload.encode(), webhook.url, secret, webhook.dialect)


def _is_asked_for(delivery: WebhookDelivery) -> bool:
    """Whether somebody is trying the webhook out: it may be off, and a failure does not count."""
    return delivery.is_redelivery or delivery.topic == PING_TOPIC


def _may_be_told(work: UnitOfWork, webhook: Webhook, delivery: WebhookDelivery) -> bool:
    """Whether whoever set it up still may, and may see the repository as it is now."""
    user = work.session.get(User, webhook.created_by_id) if webhook.created_by_id is not None else None
    if user is None or not user.is_active:
        return False
    actor = Actor.of_user(user, via="webhook")
    if not may_have_webhook(work, actor, webhook):
        return False
    message = json.loads(delivery.payload)
    repository = None
    if told := message.get("repository"):
        repository = work.session.get(Repository, told["id"])
    elif told := message.get("repo"):
        repository = work.session.scalar(select(Repository).where(Repository.uuid == str(UUID(told["id"]))))
    return repository is None or can(work, actor, Action.REPOSITORY_READ, repository)


def may_have_webhook(work: UnitOfWork, actor: Actor, webhook: Webhook) -> bool:
    """Whether the webhook is the actor's to change. One that watches in another hub's way is its maker's alone."""
    if webhook.dialect:
        mine = webhook.created_by
        is_mine = mine is not None and actor.user_id == mine.id
        return mine is not None and is_mine and can(work, actor, Action.ACCOUNT_WRITE, mine)
    return may_have_webhooks(work, actor, webhook.repository, webhook.namespace)


def may_have_webhooks(
    work: UnitOfWork, actor: Actor, repository: Repository | None, namespace: Namespace | None
) -> bool:
    """Whether the actor may set up webhooks there; neither: for the whole hub."""
    if repository is not None:
        return can(work, actor, Action.REPOSITORY_ADMIN, repository)
    if namespace is None:
        return can(work, actor, Action.SITE_ADMIN)
    if namespace.kind == NamespaceKind.USER:
        return namespace.user is not None and can(work, actor, Action.ACCOUNT_WRITE, namespace.user)
    return can(work, actor, Action.ORGANIZATION_ADMIN, namespace)


def _note(
    context: Context,
    delivery_id: int,
    *,
    answer: Answer | None = None,
    error: str = "",
    duration_s: float | None = None,
    is_final: bool = False,
) -> str:
    """Write down how a try ended; why there must be another one, or empty."""
    with unit_of_work(context) as work:
        delivery = work.session.scalar(
            select(WebhookDelivery).where(WebhookDelivery.id == delivery_id).with_for_update()
        )
        if delivery is None or delivery.state != DeliveryState.PENDING:
            return ""
        if duration_s is not None:  # it was sent, or nearly
            delivery.attempt += 1
            delivery.sent_at = work.now()
            delivery.duration_ms = round(duration_s * 1000)
        delivery.error = error
        delivery.status = answer.status if answer else None
        delivery.response_headers = {_storable(k): _storable(v) for k, v in answer.headers.items()} if answer else {}
        delivery.response_body = _storable(answer.body.decode(errors="replace")) if answer else ""
        if answer is not None and 200 <= answer.status < 300:
            _settle(work, delivery, DeliveryState.DELIVERED)
        elif is_final or delivery.attempt >= MAX_TRIES:
            _settle(work, delivery, DeliveryState.FAILED)
        else:
            return error or f"The answer was {delivery.status}."
        return ""


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd")


def _settle(work: UnitOfWork, delivery: WebhookDelivery, state: DeliveryState) -> None:
    """End a delivery, and switch its webhook off when it was one failure too many."""
    delivery.state = state
    log.info("webhook_delivery_ended", delivery=delivery.uuid, state=state.value, status=delivery.status)
    webhook = update(Webhook).where(Webhook.id == delivery.webhook_id).execution_options(synchronize_session=False)
    if state == DeliveryState.DELIVERED:
        work.session.execute(webhook.where(Webhook.failure_count > 0).values(failure_count=0))
        return
    if _is_asked_for(delivery):
        return
    work.session.execute(webhook.values(failure_count=Webhook.failure_count + 1))
    off = work.session.execute(
        webhook.where(Webhook.is_active, Webhook.failure_count >= MAX_FAILURES).values(
            is_active=False, updated_at=work.now()
        )
    )
    assert isinstance(off, CursorResult)
    if off.rowcount:
        row: Any = work.session.execute(
            select(Webhook.uuid, Webhook.name, Webhook.created_by_id).where(Webhook.id == delivery.webhook_id)
        ).one()
        publish(work, WebhookDisabled(delivery.webhook_id, row.uuid, row.name, row.created_by_id))
        log.warning("webhook_disabled", webhook=row.uuid)


def prune_job(run: JobRun) -> None:
    """Forget deliveries that are older than the setting says, and give up those that were lost."""
    lost = give_up_lost(run.context)
    run.log(f"Forgot {prune(run.context)} deliveries, gave up {lost}.")


def give_up_lost(context: Context) -> int:
    """Fail deliveries that no job will ever send, as when its worker died too often; how many they were."""
    with reading(context) as work:
        lost = work.session.scalars(
            select(WebhookDelivery.id)
            .where(WebhookDelivery.state == DeliveryState.PENDING, WebhookDelivery.created_at < work.now() - _STALE)
            .limit(_PRUNE_BATCH)
        ).all()
    for delivery_id in lost:
        _note(context, delivery_id, error="It was never sent: its job was lost.", is_final=True)
    return len(lost)


def prune(context: Context) -> int:
    """Forget deliveries that are older than ``webhook_log_ttl_s``; how many. Commits batch by batch."""
    removed = 0
    while True:
        with unit_of_work(context) as work:
            oldest = work.now() - timedelta(seconds=context.settings.webhook_log_ttl_s)
            old = select(WebhookDelivery.id).where(WebhookDelivery.created_at < oldest).limit(_PRUNE_BATCH)
            ids = list(work.session.scalars(old))
            if ids:
                work.session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(ids)))
        removed += len(ids)
        if len(ids) < _PRUNE_BATCH:
            return removed
