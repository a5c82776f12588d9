"""The caller's own webhooks, as huggingface_hub manages them. Hugging Face contract, section 12.

A secret is told once, in the answer to the request that brought it; after that nobody is shown it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.base.errors import Invalid
from hub.community.models import Webhook
from hub.community.reports import DOMAINS
from hub.community.service import own_webhooks as service
from hub.community.service.own_webhooks import Watched
from hub.compat import webhook_schemas as schemas
from hub.compat.addresses import CompatBlueprint
from hub.compat.schemas import HubDoneSchema
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context

blp = CompatBlueprint("hooks", __name__, description="The caller's own webhooks, as huggingface_hub manages them")

_ALL = "/api/settings/webhooks"
_ONE = f"{_ALL}/<uuid>"


def _view(webhook: Webhook, watched: Sequence[Watched]) -> dict[str, Any]:
    return {
        "id": webhook.uuid,
        "url": webhook.url,
        "watched": [{"type": one.type, "name": one.name} for one in watched],
        "domains": list(webhook.topics),
        "disabled": not webhook.is_active,
    }


def _answer(uuid: str, secret: str | None = None) -> dict[str, Any]:
    with reading(current_context()) as work:
        webhook, watched = service.get_own_webhook(work, actor=current_actor(), uuid=uuid)
        view = _view(webhook, watched)
    return {"webhook": view | {"secret": secret} if secret else view}


def _watched_in(body: dict[str, Any]) -> list[Watched]:
    if body["jobSourceId"] is not None:
        raise Invalid("This hub has no jobs that a webhook could start.", code="REQ-ERR-6", member="jobSourceId")
    return [Watched(one["type"], one["name"]) for one in body["watched"]]


@blp.get(_ALL)
@blp.response(200, schemas.HubWebhookSchema(many=True))
def list_webhooks() -> list[dict[str, Any]]:
    """All of them, at most 20, the oldest first."""
    with reading(current_context()) as work:
        return [_view(*found) for found in service.list_own_webhooks(work, actor=current_actor())]


@blp.post(_ALL)
@blp.arguments(schemas.HubWebhookBody)
@blp.response(200, schemas.HubWebhookAnswerSchema)
def create_webhook(body: dict[str, Any]) -> dict[str, Any]:
    """Have an address told what happens to repositories, or to all of users and organisations."""
    watched = _watched_in(body)
    if body["url"] is None:
        raise Invalid("'url' must say where messages go.", code="REQ-ERR-6", member="url")
    uuid = service.create_own_webhook(
        current_context(),
        actor=current_actor(),
        url=body["url"],
        watched=watched,
        domains=DOMAINS if body["domains"] is None else body["domains"],
        secret=body["secret"] or "",
    )
    return _answer(uuid, body["secret"])


@blp.get(_ONE)
@blp.response(200, schemas.HubWebhookAnswerSchema)
def show_webhook(uuid: str) -> dict[str, Any]:
    """One of them."""
    return _answer(uuid)


@blp.post(_ONE)
@blp.arguments(schemas.HubWebhookBody)
@blp.response(200, schemas.HubWebhookAnswerSchema)
def update_webhook(body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """Change what is given; where nothing is said to be watched, that stays."""
    service.update_own_webhook(
        current_context(),
        actor=current_actor(),
        uuid=uuid,
        url=body["url"],
        watched=_watched_in(body),
        domains=body["domains"],
        secret=body["secret"],
    )
    return _answer(uuid, body["secret"])


@blp.delete(_ONE)
@blp.response(200, HubDoneSchema)
def delete_webhook(uuid: str) -> dict[str, Any]:
    """Forget a webhook; what is under way is not sent any more."""
    with unit_of_work(current_context()) as work:
        service.delete_own_webhook(work, actor=current_actor(), uuid=uuid)
    return {"success": True}


@blp.post(f"{_ONE}/enable")
@blp.response(200, schemas.HubWebhookAnswerSchema)
def enable_webhook(uuid: str) -> dict[str, Any]:
    """Switch a webhook on, and forget the failures that switched it off."""
    service.update_own_webhook(current_context(), actor=current_actor(), uuid=uuid, is_active=True)
    return _answer(uuid)


@blp.post(f"{_ONE}/disable")
@blp.response(200, schemas.HubWebhookAnswerSchema)
def disable_webhook(uuid: str) -> dict[str, Any]:
    """Switch a webhook off."""
    service.update_own_webhook(current_context(), actor=current_actor(), uuid=uuid, is_active=False)
    return _answer(uuid)
