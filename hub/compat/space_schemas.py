"""Bodies and answers of the routes of spaces. Source: Hugging Face contract, section 12."""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.compat.schemas import HubBody


class HubKeyBody(HubBody):
    key = fields.String(required=True)


class HubHardwareBody(HubBody):
    flavor = fields.String(required=True)
    sleepTimeSeconds = fields.Integer(load_default=None, allow_none=True)


class HubSleepBody(HubBody):
    seconds = fields.Integer(required=True, metadata={"description": "-1: never"})


# Entries by their names, which are the owner's to choose.
ENTRIES = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "value": {"type": "string", "description": "not of secrets"},
            "description": {"type": "string"},
            "updatedAt": {"type": "string"},
        },
    },
}


class HubAtHardwareSchema(Schema):
    current = fields.String(allow_none=True)
    requested = fields.String(allow_none=True)


class HubRuntimeSchema(Schema):
    stage = fields.String(metadata={"description": "NO_APP_FILE or PAUSED"})
    hardware = fields.Nested(HubAtHardwareSchema)
    gcTimeout = fields.Integer(allow_none=True)
    storage = fields.String(allow_none=True)
    devMode = fields.Boolean()


class HubHardwareSchema(Schema):
    name = fields.String()
    prettyName = fields.String()


class HubTemplatesSchema(Schema):
    templates = fields.List(fields.Dict())
