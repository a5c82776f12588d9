"""Bodies and answers of the webhook routes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body
from hub.base.outgoing.client import MAX_URL_CHARS
from hub.community.models import DeliveryState
from hub.community.service.webhooks import MAX_NAME_CHARS, MAX_SECRET_CHARS

MAX_TOPICS = 100


def _url(*, required: bool = False) -> fields.String:
    return fields.String(
        required=required,
        validate=validate.Length(min=1, max=MAX_URL_CHARS),
        metadata={
            "description": "where messages go, by http or https; a host on the open internet, or one that an "
            "administrator allows",
            "example": "https://hooks.example.com/hub",
        },
    )


def _topics() -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.Length(min=1, max=64)),
        validate=validate.Length(max=MAX_TOPICS),
        metadata={"description": "names from /webhooks/topics; empty: all", "example": ["push"]},
    )


def _name() -> fields.String:
    return fields.String(
        validate=validate.Length(max=MAX_NAME_CHARS), metadata={"description": "what people call it", "example": "CI"}
    )


def _secret() -> fields.String:
    return fields.String(
        validate=validate.Length(max=MAX_SECRET_CHARS),
        metadata={
            "description": "what messages are signed with (X-Hub-Signature-256: the HMAC-SHA-256 of the body); never "
            "shown again; empty: they are not signed",
            "example": "correct-horse-battery",
        },
    )


class NewWebhookBody(Body):
    url = _url(required=True)
    name = _name()
    secret = _secret()
    topics = _topics()
    active = fields.Boolean(metadata={"description": "whether it is told anything; true by default"})


class WebhookBody(Body):
    """Absent members stay as they are."""

    url = _url()
    name = _name()
    secret = _secret()
    topics = _topics()
    active = fields.Boolean(metadata={"description": "true also forgets the failures that switched it off"})


class TopicSchema(Schema):
    name = fields.String(metadata={"description": "as in the header X-Hub-Event"})
    meaning = fields.String()


class WebhookRepositorySchema(Schema):
    id = fields.Integer()
    type = fields.String(metadata={"description": "the kind of asset: model, dataset, ..."})
    path = fields.String(metadata={"description": "namespace/name"})


class WebhookNamespaceSchema(Schema):
    path = fields.String()
    type = fields.String(metadata={"description": "user or organization"})


class WebhookSchema(Schema):
    uuid = fields.String()
    name = fields.String()
    url = fields.String()
    topics = fields.List(fields.String(), metadata={"description": "empty: all"})
    active = fields.Boolean()
    has_secret = fields.Boolean(metadata={"description": "whether messages are signed"})
    failure_count = fields.Integer(metadata={"description": "messages in a row that were not taken"})
    repository = fields.Nested(
        WebhookRepositorySchema, allow_none=True, metadata={"description": "what it hears of; null: of more"}
    )
    namespace = fields.Nested(
        WebhookNamespaceSchema,
        allow_none=True,
        metadata={"description": "whose repositories it hears of; null, as is the repository: of the whole hub"},
    )
    created_by = fields.String(allow_none=True, metadata={"description": "the user in whose name it is told"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class DeliverySchema(Schema):
    uuid = fields.String(metadata={"description": "as in the header X-Hub-Delivery"})
    event_id = fields.String(metadata={"description": "the same in all deliveries of one event"})
    topic = fields.String()
    state = fields.String(
        validate=validate.OneOf([state.value for state in DeliveryState]),
        metadata={"description": "pending: not sent yet, or to be tried again"},
    )
    attempt = fields.Integer(metadata={"description": "how often it was sent"})
    status = fields.Integer(allow_none=True, metadata={"description": "of the last answer; null: there was none"})
    error = fields.String(metadata={"description": "why there was none, or why it was not sent"})
    duration_ms = fields.Integer(allow_none=True)
    is_redelivery = fields.Boolean()
    created_at = fields.DateTime()
    sent_at = fields.DateTime(allow_none=True)


class DeliveryDetailSchema(DeliverySchema):
    payload = fields.String(metadata={"description": "the body, as it is signed and sent: JSON"})
    response_headers = fields.Dict(keys=fields.String(), values=fields.String())
    response_body = fields.String(metadata={"description": "the answer's first 4096 bytes"})
