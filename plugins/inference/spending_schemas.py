"""Queries and answers of the account of calls. Names: gateway contract, section 1.6."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from plugins.inference.spending import GROUPS

FORMATS = ("json", "csv")


def _page() -> fields.Integer:
    return fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))


def _per() -> fields.Integer:
    return fields.Integer(load_default=50, validate=validate.Range(1, 100))


def _format() -> fields.String:
    return fields.String(load_default="json", validate=validate.OneOf(FORMATS))


class CallsQuery(Schema):
    key = fields.Integer(
        load_default=None, allow_none=True, validate=validate.Range(1, 2**63 - 1), metadata={"description": "its id"}
    )
    user = fields.Integer(
        load_default=None, allow_none=True, validate=validate.Range(1, 2**63 - 1), metadata={"description": "an id"}
    )
    model = fields.String(load_default="", validate=validate.Length(max=255))
    route = fields.String(load_default="", validate=validate.Length(max=64), metadata={"example": "chat/completions"})
    status = fields.String(
        load_default="",
        validate=validate.Regexp(r"\Z|[245]xx\Z|[1-5][0-9]{2}\Z"),
        metadata={"description": "2xx, 4xx, 5xx, or one of three digits", "example": "4xx"},
    )
    request_id = fields.String(load_default="", validate=validate.Length(max=128))
    start = fields.AwareDateTime(
        load_default=None, allow_none=True, data_key="from", metadata={"description": "a moment with its zone"}
    )
    end = fields.AwareDateTime(
        load_default=None, allow_none=True, data_key="to", metadata={"description": "up to, not included"}
    )
    format = _format()
    page = _page()
    per = _per()


class CallSchema(Schema):
    """A call. Nothing of what was said is kept."""

    uuid = fields.String(metadata={"description": "that of its event of usage"})
    request_id = fields.String()
    ts_start = fields.DateTime()
    ts_first_byte = fields.DateTime(allow_none=True)
    ts_end = fields.DateTime()
    key_id = fields.Integer()
    key_name = fields.String(metadata={"description": "empty: the key is gone"})
    ns_uuid = fields.String()
    user_id = fields.Integer(allow_none=True, metadata={"description": "who made the key"})
    end_user = fields.String(metadata={"description": "for whom, as the program says"})
    tags = fields.List(fields.String(), metadata={"description": "those of the key"})
    route = fields.String()
    requested_model = fields.String()
    upstream_id = fields.Integer(allow_none=True)
    provider = fields.String()
    upstream_model = fields.String()
    stream = fields.Boolean()
    status = fields.Integer(metadata={"description": "499: the client hung up"})
    error_code = fields.String()
    finish_reason = fields.String()
    prompt_tokens = fields.Integer(metadata={"description": "with the cached ones"})
    cached_tokens = fields.Integer()
    cache_creation_tokens = fields.Integer()
    completion_tokens = fields.Integer(metadata={"description": "with those of reasoning"})
    reasoning_tokens = fields.Integer()
    unit = fields.String(metadata={"description": "what was metered", "example": "token"})
    quantity = fields.Integer()
    usage_source = fields.String(metadata={"description": "upstream, tokenizer, estimate; empty: nothing was used"})
    cost_nano = fields.Integer(metadata={"description": "billionths of the currency"})
    currency = fields.String()
    retries = fields.Integer(metadata={"description": "further upstreams that were asked"})
    fallbacks = fields.Integer(metadata={"description": "models that stood in"})
    ttft_ms = fields.Integer(allow_none=True)
    latency_ms = fields.Integer()
    overhead_ms = fields.Integer(metadata={"description": "what of it was the gateway's own"})


class SpendingQuery(Schema):
    group_by = fields.String(load_default="day", validate=validate.OneOf(GROUPS))
    first = fields.Date(
        load_default=None, allow_none=True, data_key="from", metadata={"description": "default: four weeks before"}
    )
    last = fields.Date(
        load_default=None, allow_none=True, data_key="to", metadata={"description": "the last day; default: today"}
    )
    format = _format()
    page = _page()
    per = _per()


class SpentGroupSchema(Schema):
    group = fields.String(metadata={"description": "a day, a model, an id ... as asked for"})
    title = fields.String(metadata={"description": "for people, where the group is an id"})
    calls = fields.Integer()
    failed = fields.Integer()
    prompt_tokens = fields.Integer()
    cached_tokens = fields.Integer()
    completion_tokens = fields.Integer()
    cost_nano = fields.Integer(metadata={"description": "billionths of the currency"})
    currency = fields.String()
