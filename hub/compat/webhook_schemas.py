"""Bodies and answers of the webhook routes. Source: Hugging Face contract, section 12."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.community.service.own_webhooks import MAX_WATCHED
from hub.community.service.webhooks import MAX_SECRET_CHARS
from hub.compat.schemas import HubBody

MAX_URL_CHARS = 2048
_MAX_WORD_CHARS = 255


def _word(description: str) -> fields.String:
    return fields.String(
        required=True, validate=validate.Length(1, _MAX_WORD_CHARS), metadata={"description": description}
    )


class HubWatchedBody(HubBody):
    type = _word("user, org, model, dataset or space")
    name = _word("its name, of a repository namespace/name")


class HubWebhookBody(HubBody):
    url = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, MAX_URL_CHARS),
        metadata={"description": "where messages go", "example": "https://example.org/hook"},
    )
    jobSourceId = fields.String(
        load_default=None, allow_none=True, metadata={"description": "refused: this hub has no such jobs"}
    )
    watched = fields.List(
        fields.Nested(HubWatchedBody),
        load_default=list,
        validate=validate.Length(max=MAX_WATCHED),
        metadata={"example": [{"type": "user", "name": "ada"}]},
    )
    domains = fields.List(
        fields.String(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=10),
        metadata={"description": "repo, discussion; absent: both"},
    )
    secret = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MAX_SECRET_CHARS),
        metadata={"description": "sent with each message as X-Webhook-Secret"},
    )


class HubWatchedSchema(Schema):
    type = fields.String()
    name = fields.String()


class HubWebhookSchema(Schema):
    id = fields.String()
    url = fields.String()
    watched = fields.List(fields.Nested(HubWatchedSchema))
    domains = fields.List(fields.String())
    secret = fields.String(metadata={"description": "in the answer to the request that brought it only"})
    disabled = fields.Boolean()


class HubWebhookAnswerSchema(Schema):
    webhook = fields.Nested(HubWebhookSchema)
