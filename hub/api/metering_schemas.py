"""Queries and answers of usage. Source: CSGHub contract, section 4.8; compute contract, section 14.2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body
from hub.base.errors import Invalid
from hub.base.paging import DEFAULT_PER, MAX_PER
from hub.metering.service import GROUPS
from hub.metering.usage import MAX_WORD_LENGTH, Scene, Unit

FORMATS = ("json", "csv")
_SCENES = ", ".join(f"{int(scene)} {scene.name.lower()}" for scene in Scene)


def _moment(meaning: str) -> fields.String:
    return fields.String(
        required=True,
        validate=validate.Regexp(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\Z"),
        metadata={"description": f"{meaning}: YYYY-MM-DD HH:MM:SS, in UTC", "example": "2026-11-01 00:00:00"},
    )


def _scene() -> fields.Field[Any]:
    return fields.Enum(
        Scene, by_value=fields.Integer, load_default=None, allow_none=True, metadata={"description": _SCENES}
    )


def _page() -> dict[str, Any]:
    return {
        "page": fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000)),
        "per": fields.Integer(load_default=DEFAULT_PER, validate=validate.Range(1, MAX_PER)),
    }


class StatementsQuery(Body):
    scene = _scene()
    instance_name = fields.String(load_default="", validate=validate.Length(max=MAX_WORD_LENGTH))
    start_time = _moment("from")
    end_time = _moment("up to, not included")
    page = _page()["page"]
    per = _page()["per"]


class StatementSchema(Schema):
    event_uuid = fields.String()
    user_uuid = fields.String(metadata={"description": "of the namespace on whose account it was used"})
    value = fields.Integer(metadata={"description": "minutes, tokens or a number; a begun minute is one"})
    value_type = fields.Integer(metadata={"description": "0 minutes, 1 tokens, 3 a number"})
    unit = fields.Enum(Unit, by_value=True)
    quantity = fields.Integer(metadata={"description": "of the unit, exactly"})
    scene = fields.Enum(Scene, by_value=fields.Integer, metadata={"description": _SCENES})
    op_uid = fields.String()
    resource_id = fields.String()
    resource_name = fields.String()
    customer_id = fields.String()
    instance_name = fields.String()
    prompt_token = fields.Integer()
    prompt_cached_token = fields.Integer()
    completion_token = fields.Integer()
    token_id = fields.Integer(allow_none=True, metadata={"description": "of the API key"})
    created_at = fields.DateTime()
    extra = fields.Dict()


class ReportQuery(Body):
    group_by = fields.String(load_default="day", validate=validate.OneOf([*GROUPS]))
    owner = fields.String(
        load_default="",
        validate=validate.Length(max=36),
        metadata={"description": "the UUID of an account; empty: of all, for administrators of the site"},
    )
    scene = _scene()
    from_ = fields.Date(required=True, data_key="from", metadata={"description": "the first day, in UTC"})
    to = fields.Date(required=True, metadata={"description": "the last day"})
    format = fields.String(load_default="json", validate=validate.OneOf(FORMATS))
    page = _page()["page"]
    per = _page()["per"]


class StatQuery(Body):
    scene = _scene()
    start_date = fields.Date(required=True)
    end_date = fields.Date(required=True, metadata={"description": "included"})
    page = _page()["page"]
    per = _page()["per"]


class ExportQuery(Body):
    scene = _scene()
    from_ = fields.Date(required=True, data_key="from", metadata={"description": "the first day, in UTC"})
    to = fields.Date(required=True, metadata={"description": "the last day"})


class UsageGroupSchema(Schema):
    group = fields.String(metadata={"description": "a day, a UUID, a scene's number ... as asked for"})
    title = fields.String(metadata={"description": "for people, where the group is an id"})
    unit = fields.Enum(Unit, by_value=True)
    events = fields.Integer()
    quantity = fields.Integer()
    prompt_tokens = fields.Integer()
    cached_tokens = fields.Integer()
    completion_tokens = fields.Integer()
    gpu_hours = fields.Float()
    cpu_core_hours = fields.Float()
    mem_gib_hours = fields.Float()


def moment_of(text: str) -> datetime:
    """A query's time, which is in UTC and does not say so. Raises Invalid (``REQ-ERR-6``) for a day that is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"There is no moment {text!r}.", code="REQ-ERR-6") from None
