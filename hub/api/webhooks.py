"""REST of webhooks and their deliveries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hub.accounts import service as accounts
from hub.api import webhook_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.schemas import PageQuery
from hub.community.models import Webhook, WebhookDelivery
from hub.community.service import webhooks as service
from hub.community.service.webhooks import Place
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("webhooks", __name__, url_prefix=PREFIX, description="Webhooks")

_WEBHOOK = "/webhooks/<uuid:uuid>"
_DELIVERY = f"{_WEBHOOK}/deliveries/<uuid:delivery>"
_HUB = Place()


def _of_organization(name: str) -> Place:
    with reading(current_context()) as work:
        return Place(namespace_id=accounts.get_organization(work, name).namespace_id)


def _of_user(name: str) -> Place:
    with reading(current_context()) as work:
        return Place(namespace_id=accounts.get_user(work, name).namespace_id)


def webhook_view(webhook: Webhook) -> dict[str, Any]:
    """A webhook as all may see it who may change it: without its secret."""
    repository, namespace = webhook.repository, webhook.namespace
    return {
        "uuid": webhook.uuid,
        "name": webhook.name,
        "url": webhook.url,
        "topics": webhook.topics,
        "active": webhook.is_active,
        "has_secret": bool(webhook.sealed_secret),
        "failure_count": webhook.failure_count,
        "repository": repository and {"id": repository.id, "type": repository.kind, "path": repository.path},
        "namespace": namespace and {"path": namespace.path, "type": namespace.kind.value},
        "created_by": webhook.created_by.name if webhook.created_by else None,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }


def delivery_view(delivery: WebhookDelivery, *, with_bodies: bool = False) -> dict[str, Any]:
    """A delivery; with_bodies: what was sent and answered, too."""
    schema = schemas.DeliveryDetailSchema if with_bodies else schemas.DeliverySchema
    return {name: getattr(delivery, name) for name in schema._declared_fields} | {"state": delivery.state.value}


def _list(place: Place) -> dict[str, Any]:
    with reading(current_context()) as work:
        page = service.list_webhooks(work, actor=current_actor(), place=place, page=page_args())
        return ok([webhook_view(webhook) for webhook in page.items], total=page.total)


def _create(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    return ok(
        webhook_view(service.create_webhook(current_context(), actor=current_actor(), place=place, **_given(body)))
    )


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {"is_active" if name == "active" else name: value for name, value in body.items()}


# Of a repository, a namespace, the hub.


@blp.at("/webhooks")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.WebhookSchema, many=True))
def list_repository_webhooks(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The webhooks of a repository, for those who administer it."""
    return _list(Place(repository_id=address.get().id))


@blp.at("/webhooks", method="POST")
@blp.arguments(schemas.NewWebhookBody)
@blp.response(200, enveloped(schemas.WebhookSchema))
def create_repository_webhook(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Have an address told what happens to a repository; for those who administer it."""
    return _create(Place(repository_id=address.get().id), body)


@blp.get("/organization/<namespace>/webhooks")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.WebhookSchema, many=True))
def list_organization_webhooks(query: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The webhooks of an organisation, for its administrators."""
    return _list(_of_organization(namespace))


@blp.post("/organization/<namespace>/webhooks")
@blp.arguments(schemas.NewWebhookBody)
@blp.response(200, enveloped(schemas.WebhookSchema))
def create_organization_webhook(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Have an address told what happens in an organisation, to all its repositories; for its administrators."""
    return _create(_of_organization(namespace), body)


@blp.get("/user/<username>/webhooks")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.WebhookSchema, many=True))
def list_user_webhooks(query: dict[str, Any], username: str) -> dict[str, Any]:
    """The webhooks of a user's namespace, for the user."""
    return _list(_of_user(username))


@blp.post("/user/<username>/webhooks")
@blp.arguments(schemas.NewWebhookBody)
@blp.response(200, enveloped(schemas.WebhookSchema))
def create_user_webhook(body: dict[str, Any], username: str) -> dict[str, Any]:
    """Have an address told what happens in a user's namespace, to all its repositories; for the user."""
    return _create(_of_user(username), body)


@blp.get("/admin/webhooks")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.WebhookSchema, many=True))
def list_hub_webhooks(query: dict[str, Any]) -> dict[str, Any]:
    """The webhooks that hear of the whole hub, for site administrators."""
    return _list(_HUB)


@blp.post("/admin/webhooks")
@blp.arguments(schemas.NewWebhookBody)
@blp.response(200, enveloped(schemas.WebhookSchema))
def create_hub_webhook(body: dict[str, Any]) -> dict[str, Any]:
    """Have an address told what happens in the whole hub; for site administrators."""
    return _create(_HUB, body)


# One webhook.


@blp.get("/webhooks/topics")
@blp.response(200, enveloped(schemas.TopicSchema, many=True))
def list_topics() -> dict[str, Any]:
    """Everything that a webhook can be told."""
    topics = service.list_topics(current_context())
    return ok([{"name": topic.name, "meaning": topic.meaning} for topic in topics], total=len(topics))


@blp.get(_WEBHOOK)
@blp.response(200, enveloped(schemas.WebhookSchema))
def show_webhook(uuid: UUID) -> dict[str, Any]:
    """One webhook, for those who may change it."""
    with reading(current_context()) as work:
        return ok(webhook_view(service.get_webhook(work, actor=current_actor(), uuid=str(uuid))))


@blp.put(_WEBHOOK)
@blp.arguments(schemas.WebhookBody)
@blp.response(200, enveloped(schemas.WebhookSchema))
def update_webhook(body: dict[str, Any], uuid: UUID) -> dict[str, Any]:
    """Change a webhook; it is told in the caller's name from then on, as far as the caller may see."""
    webhook = service.update_webhook(current_context(), actor=current_actor(), uuid=str(uuid), **_given(body))
    return ok(webhook_view(webhook))


@blp.delete(_WEBHOOK)
@blp.response(200, enveloped())
def delete_webhook(uuid: UUID) -> dict[str, Any]:
    """Forget a webhook and its log."""
    with unit_of_work(current_context()) as work:
        service.delete_webhook(work, actor=current_actor(), uuid=str(uuid))
    return ok()


@blp.post(f"{_WEBHOOK}/ping")
@blp.response(200, enveloped(schemas.DeliverySchema))
def ping_webhook(uuid: UUID) -> dict[str, Any]:
    """Send a message of the topic "ping", to try a webhook out; the log has what becomes of it."""
    with unit_of_work(current_context()) as work:
        return ok(delivery_view(service.ping_webhook(work, actor=current_actor(), uuid=str(uuid))))


# Its log.


@blp.get(f"{_WEBHOOK}/deliveries")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.DeliverySchema, many=True))
def list_deliveries(query: dict[str, Any], uuid: UUID) -> dict[str, Any]:
    """What was sent to a webhook, newest first, as long as it is kept."""
    with reading(current_context()) as work:
        page = service.list_deliveries(work, actor=current_actor(), uuid=str(uuid), page=page_args())
    return ok([delivery_view(delivery) for delivery in page.items], total=page.total)


@blp.get(_DELIVERY)
@blp.response(200, enveloped(schemas.DeliveryDetailSchema))
def show_delivery(uuid: UUID, delivery: UUID) -> dict[str, Any]:
    """One delivery, with what was sent and answered."""
    with reading(current_context()) as work:
        found = service.get_delivery(work, actor=current_actor(), uuid=str(uuid), delivery_uuid=str(delivery))
        return ok(delivery_view(found, with_bodies=True))


@blp.post(f"{_DELIVERY}/redeliver")
@blp.response(200, enveloped(schemas.DeliverySchema))
def redeliver(uuid: UUID, delivery: UUID) -> dict[str, Any]:
    """Send the same message again, as a delivery of its own."""
    with unit_of_work(current_context()) as work:
        again = service.redeliver(work, actor=current_actor(), uuid=str(uuid), delivery_uuid=str(delivery))
        return ok(delivery_view(again))
