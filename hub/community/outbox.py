"""Events become deliveries to webhooks, written in the transaction of the event.

So nothing committed is forgotten and nothing undone is told. While no webhook is active an event costs one query.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select

from hub.accounts.models import Namespace, User
from hub.base.context import Context
from hub.base.log import get_logger
from hub.base.topics import TOPICS, Told, Topic
from hub.community.models import Webhook, WebhookDelivery
from hub.community.reports import is_watched, may_hear, watches_of, write_report
from hub.db.base import new_uuid
from hub.db.uow import UnitOfWork
from hub.jobs.service import enqueue
from hub.repos.kinds import KINDS
from hub.repos.models import Repository

log = get_logger(__name__)

DELIVER_JOB = "community.deliver_webhook"
# A longer message goes without its data: who is told can ask for the rest.
MAX_PAYLOAD_BYTES = 256 * 1024


def install(context: Context) -> None:
    """Write down what webhooks are to be told; done once, by ``build_context``."""
    context.events.record_all_with(record)


def record(work: UnitOfWork, events: Sequence[object]) -> None:
    """Write the deliveries of events to the webhooks that want them, and ask for their sending.

    What fails here is logged and does not reach the transaction: nobody's push is lost to a webhook.
    """
    topics: dict[type, list[Topic]] = {}
    for topic in work.context[TOPICS].values():
        topics.setdefault(topic.event_class, []).append(topic)
    matters = [(topic, event) for event in events for topic in topics.get(type(event), ())]
    if not matters or not work.session.scalar(select(select(Webhook.id).where(Webhook.is_active).exists())):
        return
    # The caller's own changes fail, if they must, as the caller's: outside of the guard.
    work.session.flush()
    if len(matters) > 1 and _try_to_record(work, matters) is None:
        return
    # One alone, or one of them fails: each by itself, so that the others are told.
    for matter in matters:
        error = _try_to_record(work, [matter])
        if error is not None:
            log.error("webhook_event_not_recorded", topic=matter[0].name, exc_info=error)


_Matter = tuple[Topic, object]


def _try_to_record(work: UnitOfWork, matters: Sequence[_Matter]) -> Exception | None:
    try:
        with work.session.begin_nested():
            _record(work, matters)
    except Exception as error:
        return error
    return None


def _record(work: UnitOfWork, matters: Sequence[_Matter]) -> None:
    described = [(topic, event, topic.describe(work, event)) for topic, event in matters]
    # Held here, so that the session need not read a row again for the next event.
    concerns = [(topic, event, told, _place_of(work, told)) for topic, event, told in described if told is not None]
    webhooks = _listening(work, [place for *_, place in concerns])
    letters = []
    for topic, event, told, (repository, namespace) in concerns:
        wanting = [
            webhook.id
            for webhook in webhooks
            if _hears_of(webhook, repository, namespace) and (not webhook.topics or topic.name in webhook.topics)
        ]
        if not wanting:
            continue
        sender_id = getattr(event, "actor_id", None)
        event_id = new_uuid()
        payload = write_payload(
            work,
            event_id=event_id,
            topic=topic.name,
            data=told.data,
            repository=repository,
            namespace=namespace,
            sender=work.session.get(User, sender_id) if sender_id is not None else None,
        )
        letters.append((wanting, event_id, topic.name, payload))
    letters += _reports(work, concerns)
    # Last: the words of a topic may fail, and what is sent after the commit is not taken back by a savepoint.
    for wanting, event_id, name, payload in letters:
        add_deliveries(work, wanting, event_id=event_id, topic=name, payload=payload)


_Place = tuple[Repository | None, Namespace | None]
_Concern = tuple[Topic, object, Told, _Place]
# Receivers, the event's id, its topic, the body.
_Letter = tuple[list[int], str, str, str]


def _reports(work: UnitOfWork, concerns: Sequence[_Concern]) -> list[_Letter]:
    """The same events for those who hear of them in another hub's words: a message for each."""
    repositories = {repository.id for *_, (repository, _) in concerns if repository}
    namespaces = {namespace.id for *_, (_, namespace) in concerns if namespace}
    watches = watches_of(work, repositories, namespaces)
    if not watches:
        return []
    ids = {watch.webhook_id for watch in watches}
    webhooks = work.session.scalars(select(Webhook).where(Webhook.id.in_(ids)).order_by(Webhook.id)).all()
    letters: list[_Letter] = []
    for topic, event, told, (repository, namespace) in concerns:
        report = write_report(work, topic.name, event, told.data, repository)
        if report is None:
            continue
        event_id = new_uuid()
        hearing = {watch.webhook_id for watch in watches if is_watched(watch, report.repository, namespace)}
        for webhook in webhooks:
            wants = webhook.id in hearing and report.domain in webhook.topics
            if wants and may_hear(work, webhook, report.repository):
                letters.append(([webhook.id], event_id, topic.name, _as_text(report.to(webhook))))
    return letters


def _as_text(message: dict[str, Any]) -> str:
    text = json.dumps(message)
    if len(text) > MAX_PAYLOAD_BYTES and "comment" in message:
        text = json.dumps(message | {"comment": message["comment"] | {"content": None}})
    return text


def _place_of(work: UnitOfWork, told: Told) -> _Place:
    repository = work.session.get(Repository, told.repository_id) if told.repository_id is not None else None
    namespace_id = repository.namespace_id if told.namespace_id is None and repository else told.namespace_id
    return repository, work.session.get(Namespace, namespace_id) if namespace_id is not None else None


def _listening(work: UnitOfWork, places: Sequence[_Place]) -> Sequence[Webhook]:
    """The active webhooks that hear of any of these places."""
    repositories = {repository.id for repository, _ in places if repository}
    namespaces = {namespace.id for _, namespace in places if namespace}
    where = or_(
        and_(Webhook.repository_id.is_(None), Webhook.namespace_id.is_(None)),
        Webhook.repository_id.in_(repositories),
        Webhook.namespace_id.in_(namespaces),
    )
    own = (Webhook.is_active, Webhook.dialect == "", where)
    return work.session.scalars(select(Webhook).where(*own).order_by(Webhook.id)).all()


def _hears_of(webhook: Webhook, repository: Repository | None, namespace: Namespace | None) -> bool:
    if webhook.repository_id is not None:
        return repository is not None and webhook.repository_id == repository.id
    return webhook.namespace_id is None or (namespace is not None and webhook.namespace_id == namespace.id)


def write_payload(
    work: UnitOfWork,
    *,
    event_id: str,
    topic: str,
    data: Mapping[str, Any],
    repository: Repository | None,
    namespace: Namespace | None,
    sender: User | None,
) -> str:
    """The body of a message: the very text that is signed. Pure ASCII, so that any database keeps it as it is."""
    message: dict[str, Any] = {
        "event_id": event_id,
        "topic": topic,
        "created_at": _iso(work.now()),
        "hub": work.settings.effective_base_url,
        "repository": _tell_repository(work, repository) if repository else None,
        "namespace": {"path": namespace.path, "type": namespace.kind.value} if namespace else None,
        "sender": {"username": sender.name} if sender else None,
        "data": data,
    }
    text = json.dumps(message, default=str)
    if len(text) > MAX_PAYLOAD_BYTES:
        text = json.dumps(message | {"data": None, "is_cut": True})
    return text


def _tell_repository(work: UnitOfWork, repository: Repository) -> dict[str, Any]:
    kind = work.context[KINDS].find(repository.kind)
    place = f"{kind.collection}/{repository.path}" if kind else repository.path
    return {
        "id": repository.id,
        "type": repository.kind,
        "path": repository.path,
        "private": repository.is_private,
        "url": f"{work.settings.effective_base_url}/{place}",
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def add_deliveries(
    work: UnitOfWork,
    webhook_ids: Sequence[int],
    *,
    event_id: str,
    topic: str,
    payload: str,
    is_redelivery: bool = False,
) -> list[WebhookDelivery]:
    """A delivery to each of the webhooks, and the job that sends it once this is committed."""
    deliveries = [
        WebhookDelivery(
            webhook_id=webhook_id,
            event_id=event_id,
            topic=topic,
            payload=payload,
            response_headers={},
            is_redelivery=is_redelivery,
            created_at=work.now(),
        )
        for webhook_id in webhook_ids
    ]
    work.session.add_all(deliveries)
    work.session.flush()
    for delivery in deliveries:
        enqueue(work, DELIVER_JOB, args={"delivery_id": delivery.id})
    return deliveries
