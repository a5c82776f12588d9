"""Webhooks: who is told what, where to, and what became of it.

Whoever administers a repository or namespace sets up its webhooks, site administrators those of the whole hub. A
message is sent in the name of whoever saved the webhook last: when they lose that right, it is sent no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import joinedload

from hub.accounts.models import Namespace, NamespaceKind
from hub.accounts.policy import Action, Actor, require, require_site_admin
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.base.log import get_logger
from hub.base.outgoing import OUTGOING
from hub.base.paging import Page, PageArgs
from hub.base.topics import TOPICS, Topic
from hub.community.deliveries import PING_TOPIC, may_have_webhook, sealer
from hub.community.models import Webhook, WebhookDelivery
from hub.community.outbox import add_deliveries, write_payload
from hub.db.base import new_uuid
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.service import get_readable

log = get_logger(__name__)

MAX_WEBHOOKS = 20  # of one repository, namespace, or the hub: each costs every event there two rows
MAX_NAME_CHARS = 64
MAX_SECRET_CHARS = 255


@dataclass(frozen=True)
class Place:
    """What a webhook hears of: a repository, all of a namespace, or (neither) the whole hub."""

    repository_id: int | None = None
    namespace_id: int | None = None


def list_topics(context: Context) -> list[Topic]:
    """Everything that a webhook can be told, by name."""
    return sorted(context[TOPICS].values(), key=lambda topic: topic.name)


def list_webhooks(work: UnitOfWork, *, actor: Actor, place: Place, page: PageArgs | None = None) -> Page[Webhook]:
    """The webhooks of a place, the oldest first. Raises NotFound, NotSignedIn, Denied."""
    _require(work, actor, place)
    page = page or PageArgs()
    here = _at(place)
    total = work.session.scalar(select(func.count(Webhook.id)).where(*here)) or 0
    rows = work.session.scalars(
        select(Webhook).where(*here).options(*_WITH_ALL).order_by(Webhook.id).offset(page.offset).limit(page.per)
    )
    return Page(rows.all(), total)


def _at(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (
        Webhook.repository_id == place.repository_id,
        Webhook.namespace_id == place.namespace_id,
        Webhook.dialect == "",
    )


_WITH_ALL = (joinedload(Webhook.repository), joinedload(Webhook.namespace), joinedload(Webhook.created_by))


def _require(work: UnitOfWork, actor: Actor, place: Place) -> None:
    """Return when the actor may set up webhooks there. Raises NotFound, NotSignedIn, Denied."""
    if place.repository_id is not None:
        repository = get_readable(work, actor=actor, repository_id=place.repository_id)
        require(work, actor, Action.REPOSITORY_ADMIN, repository)
    elif place.namespace_id is None:
        require_site_admin(work, actor)
    else:
        namespace = work.session.get(Namespace, place.namespace_id)
        if namespace is None:
            raise NotFound("There is no such namespace.", code="namespace_not_found")
        if namespace.kind == NamespaceKind.USER and namespace.user is not None:
            require(work, actor, Action.ACCOUNT_WRITE, namespace.user, what="user")
        else:
            require(work, actor, Action.ORGANIZATION_ADMIN, namespace, what="namespace")


def get_webhook(work: UnitOfWork, *, actor: Actor, uuid: str) -> Webhook:
    """The webhook of that uuid. Raises NotSignedIn; NotFound (``webhook_not_found``) where it is not the actor's."""
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    webhook = work.session.scalar(select(Webhook).where(Webhook.uuid == uuid).options(*_WITH_ALL))
    if webhook is None or not may_have_webhook(work, actor, webhook):
        raise NotFound("There is no such webhook, or you may not see it.", code="webhook_not_found")
    return webhook


def create_webhook(
    context: Context,
    *,
    actor: Actor,
    place: Place,
    url: str,
    name: str = "",
    secret: str = "",
    topics: Sequence[str] = (),
    is_active: bool = True,
) -> Webhook:
    """A new webhook of a place, in the actor's name.

    secret: what messages are signed with; it is never shown again. topics: names; none: all.
    Raises NotFound, NotSignedIn, Denied; Invalid (``outgoing_refused``, ``topic_unknown``, ``text_invalid``);
    Conflict (``webhooks_too_many``).
    """
    with reading(context) as work:
        _require(work, actor, place)
    # It may wait for the DNS: not in a transaction, and for nobody who has no right here.
    context[OUTGOING].check(url)
    with unit_of_work(context) as work:
        _require(work, actor, place)
        if actor.user_id is None:
            raise Denied("A webhook needs a user in whose name it is told.")
        here = _at(place)
        if (work.session.scalar(select(func.count(Webhook.id)).where(*here)) or 0) >= MAX_WEBHOOKS:
            raise Conflict(f"There are {MAX_WEBHOOKS} webhooks here already.", code="webhooks_too_many")
        webhook = Webhook(
            repository_id=place.repository_id,
            namespace_id=place.namespace_id,
            created_by_id=actor.user_id,
            name=_check_text("name", name, MAX_NAME_CHARS),
            url=url,
            sealed_secret=seal_secret(work, secret),
            topics=_check_topics(work, topics),
            is_active=is_active,
            created_at=work.now(),
            updated_at=work.now(),
        )
        work.session.add(webhook)
        work.session.flush()
        log.info("webhook_created", webhook=webhook.uuid, actor_id=actor.user_id)
        return get_webhook(work, actor=actor, uuid=webhook.uuid)


def update_webhook(
    context: Context,
    *,
    actor: Actor,
    uuid: str,
    url: str | None = None,
    name: str | None = None,
    secret: str | None = None,
    topics: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> Webhook:
    """Change what is not None; from now on it is told in the actor's name. An empty secret ends the signing.

    Switching it on forgets the failures that switched it off. Raises as ``create_webhook``.
    """
    with reading(context) as work:
        is_new_url = url is not None and url != get_webhook(work, actor=actor, uuid=uuid).url
    if url is not None and is_new_url:
        context[OUTGOING].check(url)
    with unit_of_work(context) as work:
        webhook = get_webhook(work, actor=actor, uuid=uuid)
        if url is not None:
            webhook.url = url
        if name is not None:
            webhook.name = _check_text("name", name, MAX_NAME_CHARS)
        if secret is not None:
            webhook.sealed_secret = seal_secret(work, secret)
        if topics is not None:
            if webhook.dialect:
                raise Invalid("What this webhook hears of is said where it was set up.", code="topic_unknown")
            webhook.topics = _check_topics(work, topics)
        if is_active is not None:
            webhook.is_active = is_active
            if is_active:
                webhook.failure_count = 0
        if actor.user_id is not None:
            webhook.created_by_id = actor.user_id
        webhook.updated_at = work.now()
        work.session.flush()
        log.info("webhook_updated", webhook=uuid, actor_id=actor.user_id)
        work.session.refresh(webhook, ["created_by"])
        return webhook


def delete_webhook(work: UnitOfWork, *, actor: Actor, uuid: str) -> None:
    """Forget a webhook with its log; what is under way is not sent any more. Raises NotFound, NotSignedIn."""
    webhook = get_webhook(work, actor=actor, uuid=uuid)
    work.session.execute(delete(Webhook).where(Webhook.id == webhook.id))
    log.info("webhook_deleted", webhook=uuid, actor_id=actor.user_id)


def _check_text(what: str, text: str, most: int) -> str:
    if len(text) > most or not text.isprintable():
        raise Invalid(f"'{what}' has more than {most} characters, or one that cannot be shown.", code="text_invalid")
    return text


def seal_secret(work: UnitOfWork, secret: str) -> str:
    """A webhook's secret as it is kept. Raises Invalid (``text_invalid``)."""
    return sealer(work.context).seal(_check_text("secret", secret, MAX_SECRET_CHARS)) if secret else ""


def _check_topics(work: UnitOfWork, topics: Sequence[str]) -> list[str]:
    known = work.context[TOPICS]
    for topic in topics:
        if topic not in known:
            raise Invalid(f"There is no topic {topic[:64]!r}.", code="topic_unknown", topic=topic[:64])
    return sorted(set(topics))


# The log of deliveries.


def ping_webhook(work: UnitOfWork, *, actor: Actor, uuid: str) -> WebhookDelivery:
    """A message that tells nothing, to try a webhook out, even one that is off. Raises NotFound, NotSignedIn."""
    webhook = get_webhook(work, actor=actor, uuid=uuid)
    event_id = new_uuid()
    payload = write_payload(
        work,
        event_id=event_id,
        topic=PING_TOPIC,
        data={"webhook": {"uuid": webhook.uuid, "name": webhook.name, "topics": webhook.topics}},
        repository=webhook.repository,
        namespace=webhook.namespace,
        sender=None,
    )
    [delivery] = add_deliveries(work, [webhook.id], event_id=event_id, topic=PING_TOPIC, payload=payload)
    return delivery


def list_deliveries(
    work: UnitOfWork, *, actor: Actor, uuid: str, page: PageArgs | None = None
) -> Page[WebhookDelivery]:
    """What was sent to a webhook, the newest first, as far as it is kept. Raises NotFound, NotSignedIn."""
    webhook = get_webhook(work, actor=actor, uuid=uuid)
    page = page or PageArgs()
    of_webhook = WebhookDelivery.webhook_id == webhook.id
    total = work.session.scalar(select(func.count(WebhookDelivery.id)).where(of_webhook)) or 0
    rows = work.session.scalars(
        select(WebhookDelivery)
        .where(of_webhook)
        .order_by(WebhookDelivery.id.desc())
        .offset(page.offset)
        .limit(page.per)
    )
    return Page(rows.all(), total)


def get_delivery(work: UnitOfWork, *, actor: Actor, uuid: str, delivery_uuid: str) -> WebhookDelivery:
    """One of them. Raises NotSignedIn; NotFound (``webhook_not_found``, ``delivery_not_found``)."""
    webhook = get_webhook(work, actor=actor, uuid=uuid)
    delivery = work.session.scalar(
        select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.uuid == delivery_uuid)
    )
    if delivery is None:
        raise NotFound("There is no such delivery, or it is kept no more.", code="delivery_not_found")
    return delivery


def redeliver(work: UnitOfWork, *, actor: Actor, uuid: str, delivery_uuid: str) -> WebhookDelivery:
    """A new delivery of the same message, under the same event's id. Raises as ``get_delivery``."""
    first = get_delivery(work, actor=actor, uuid=uuid, delivery_uuid=delivery_uuid)
    [delivery] = add_deliveries(
        work,
        [first.webhook_id],
        event_id=first.event_id,
        topic=first.topic,
        payload=first.payload,
        is_redelivery=True,
    )
    return delivery
