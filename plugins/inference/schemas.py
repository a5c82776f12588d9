"""Bodies and answers of the REST API. Names: CSGHub contract, section 4.6; gateway contract, sections 1.2 and 1.6."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from plugins.inference.catalogue import (
    CHAT_ADAPTER,
    LLM_TYPES,
    MAX_DRAIN_S,
    MAX_FALLBACKS,
    MAX_HEADERS,
    MAX_TIER,
    MAX_UPSTREAMS,
    MAX_WEIGHT,
    OPENAI,
    PROTOCOLS,
    RESPONSES,
    STRATEGIES,
)
from plugins.inference.keys import MAX_MODELS
from plugins.inference.limits import (
    MAX_ALIASES,
    MAX_DETAILS,
    MAX_IPS,
    MAX_LIMIT,
    MAX_MODEL_BUDGETS,
    MAX_MODEL_LIMITS,
    MAX_NAME,
    MAX_ROUTES,
    MAX_TAG,
    MAX_TAGS,
    MAX_WINDOW_S,
)
from plugins.inference.money import MAX_BUDGETS, MAX_NANO
from plugins.inference.unit_prices import MAX_UNIT_PRICES, MAX_WORD, PricedUnit

_NANO = {"description": "billionths of the currency"}


def _amount() -> fields.Integer:
    return fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, MAX_NANO), metadata=_NANO)


def _limit(meaning: str) -> fields.Integer:
    return fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MAX_LIMIT),
        metadata={"description": f"{meaning}; null: no limit"},
    )


def _price(meaning: str) -> fields.Integer:
    return fields.Integer(
        load_default=0,
        validate=validate.Range(0, MAX_NANO),
        metadata={"description": f"{meaning}, in billionths of the currency for a token"},
    )


class BudgetSchema(Schema):
    period = fields.String(
        required=True,
        validate=validate.Length(max=8),
        metadata={"description": "30s, 15m, 24h, 7d, 1mo, or total", "example": "1mo"},
    )
    hard_nano = _amount()
    soft_nano = _amount()


class BudgetStateSchema(BudgetSchema):
    """How a budget stands in the period of this moment."""

    model = fields.String(metadata={"description": "of a key: of which models alone; empty: of all"})
    spent_nano = fields.Integer(metadata=_NANO)
    held_nano = fields.Integer(metadata={"description": "for calls under way"})
    left_nano = fields.Integer(allow_none=True, metadata={"description": "null: there is no hard bound"})
    percent = fields.Float(metadata={"description": "of the hard bound, else of the soft one"})
    period_start = fields.DateTime()
    period_end = fields.DateTime(allow_none=True, metadata={"description": "null: never"})


class MemberBudgetsSchema(Schema):
    username = fields.String()
    budgets = fields.List(fields.Nested(BudgetSchema))


class MinuteLimitsBody(Schema):
    rpm_limit = _limit("requests a minute")
    tpm_limit = _limit("tokens a minute")


class LimitsBody(Schema):
    """What a key may do."""

    models = fields.List(
        fields.String(validate=validate.Length(1, 255)),
        load_default=list,
        validate=validate.Length(max=MAX_MODELS),
        metadata={"description": "names, with *; empty: all"},
    )
    rpm_limit = _limit("requests a minute")
    tpm_limit = _limit("tokens a minute")
    max_parallel_requests = _limit("calls at once")
    budgets = fields.List(fields.Nested(BudgetSchema), load_default=list, validate=validate.Length(max=MAX_BUDGETS))


def _words(most: int, longest: int, meaning: str) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.Length(1, longest)),
        load_default=list,
        validate=validate.Length(max=most),
        metadata={"description": meaning},
    )


def _by_name(values: fields.Field[Any], most: int, meaning: str) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.Length(1, MAX_NAME)),
        values=values,
        load_default=dict,
        validate=validate.Length(max=most),
        metadata={"description": meaning, "example": {}},
    )


class RulesBody(LimitsBody):
    """What else a key may and may not do."""

    allowed_routes = _words(MAX_ROUTES, MAX_TAG, "kinds of calls, such as chat/completions, with *; empty: all")
    allowed_ips = _words(MAX_IPS, MAX_TAG, "networks such as 192.0.2.0/24; empty: from anywhere")
    aliases = _by_name(fields.String(validate=validate.Length(1, MAX_NAME)), MAX_ALIASES, "what to call a model by")
    model_rpm_limit = _by_name(
        fields.Integer(validate=validate.Range(0, MAX_LIMIT)), MAX_MODEL_LIMITS, "requests a minute of models, with *"
    )
    model_tpm_limit = _by_name(
        fields.Integer(validate=validate.Range(0, MAX_LIMIT)), MAX_MODEL_LIMITS, "tokens a minute of models, with *"
    )
    model_max_budget = _by_name(
        fields.Nested(BudgetSchema), MAX_MODEL_BUDGETS, "what the calls of models may cost, by name, with *"
    )
    tags = _words(MAX_TAGS, MAX_TAG, "that its calls carry")
    metadata = _by_name(fields.String(validate=validate.Length(max=MAX_NAME)), MAX_DETAILS, "notes of its owner's")
    blocked = fields.Boolean(load_default=False, metadata={"description": "only an administrator of the site may say"})


class NewKeyBody(RulesBody):
    name = fields.String(required=True, validate=validate.Length(1, 64), metadata={"example": "laptop"})
    expired_at = fields.AwareDateTime(
        load_default=None, allow_none=True, metadata={"description": "null: never", "example": None}
    )


class KeyBody(NewKeyBody):
    is_active = fields.Boolean(load_default=True)


class KeySchema(Schema):
    """An API key."""

    id = fields.Integer()
    token_name = fields.String()
    token = fields.String(metadata={"description": "its value when it is made; later its ends"})
    application = fields.String()
    token_type = fields.String(metadata={"description": "owner or builtin"})
    ns_uuid = fields.String()
    is_active = fields.Boolean()
    expired_at = fields.DateTime(allow_none=True)
    last_used_at = fields.DateTime(allow_none=True)
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    models = fields.List(fields.String())
    rpm_limit = fields.Integer(allow_none=True)
    tpm_limit = fields.Integer(allow_none=True)
    max_parallel_requests = fields.Integer(allow_none=True)
    budgets = fields.List(fields.Nested(BudgetSchema))
    allowed_routes = fields.List(fields.String())
    allowed_ips = fields.List(fields.String())
    aliases = fields.Dict(keys=fields.String(), values=fields.String())
    model_rpm_limit = fields.Dict(keys=fields.String(), values=fields.Integer())
    model_tpm_limit = fields.Dict(keys=fields.String(), values=fields.Integer())
    model_max_budget = fields.Dict(keys=fields.String(), values=fields.Nested(BudgetSchema))
    tags = fields.List(fields.String())
    metadata = fields.Dict(keys=fields.String(), values=fields.String())
    blocked = fields.Boolean()


class BudgetsBody(Schema):
    budgets = fields.List(fields.Nested(BudgetSchema), required=True, validate=validate.Length(max=MAX_BUDGETS))


def _tokens(meaning: str) -> fields.Integer:
    return fields.Integer(
        load_default=0, validate=validate.Range(0, MAX_LIMIT), metadata={"description": f"{meaning}; 0: no limit"}
    )


def _ratio(default: float, meaning: str) -> fields.Float:
    return fields.Float(
        load_default=default,
        validate=validate.Range(0, 1000),
        allow_nan=False,
        metadata={"description": f"what {meaning} counts of one that is asked"},
    )


class PolicyBody(Schema):
    """What one account may have of an upstream in a window of time."""

    enabled = fields.Boolean(load_default=False)
    window_seconds = fields.Integer(load_default=60, validate=validate.Range(1, MAX_WINDOW_S))
    max_total_tokens = _tokens("tokens in all")
    max_prompt_tokens = _tokens("tokens that are asked")
    max_completion_tokens = _tokens("tokens of answers")
    cached_token_cost_ratio = _ratio(0.0, "a cached token")
    cache_create_cost_ratio = _ratio(1.0, "a token that is put into the cache")


class _Upstream(Schema):
    id = fields.Integer(load_default=None, allow_none=True, metadata={"description": "of one that is there already"})
    url = fields.String(
        required=True, validate=validate.Length(1, 2048), metadata={"example": "https://api.example.org/v1"}
    )
    model_name = fields.String(required=True, validate=validate.Length(1, 255), metadata={"example": "small"})
    provider = fields.String(load_default="", validate=validate.Length(max=64))
    weight = fields.Integer(load_default=1, validate=validate.Range(0, MAX_WEIGHT))
    tier = fields.Integer(
        load_default=0, validate=validate.Range(0, MAX_TIER), metadata={"description": "a smaller one is asked first"}
    )
    enabled = fields.Boolean(load_default=True)
    protocol = fields.String(
        load_default=OPENAI, validate=validate.OneOf(PROTOCOLS), metadata={"description": "that it speaks"}
    )
    responses = fields.String(
        load_default=CHAT_ADAPTER,
        validate=validate.OneOf(RESPONSES),
        metadata={"description": "how it is asked for responses: in their protocol, as a chat, or not at all"},
    )
    limit_policy = fields.Nested(PolicyBody, load_default=None, allow_none=True)
    health_check_enabled = fields.Boolean(
        load_default=False, metadata={"description": "ask it for its models every minute"}
    )
    circuit_breaker_enabled = fields.Boolean(
        load_default=True, metadata={"description": "leave it alone for a while once it fails"}
    )
    drain_s = fields.Integer(
        load_default=0,
        validate=validate.Range(0, MAX_DRAIN_S),
        metadata={"description": "for how long the rest of a stream is read once the client has hung up"},
    )


class UpstreamBody(_Upstream):
    """An upstream."""

    headers = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 64)),
        values=fields.String(validate=validate.Length(1, 2048)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MAX_HEADERS),
        metadata={
            "description": "sent beside each request, such as Authorization; kept sealed, never shown. null: as it was",
            "example": {"Authorization": "Bearer secret"},
        },
    )


class UpstreamSchema(_Upstream):
    headers = fields.List(fields.String(), metadata={"description": "the names"})


class UnitPriceBody(Schema):
    """What one of something costs that is not counted in tokens."""

    unit = fields.String(required=True, validate=validate.OneOf([*PricedUnit]), metadata={"example": "image"})
    nano = fields.Integer(required=True, validate=validate.Range(0, MAX_NANO), metadata=_NANO)
    resolution = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_WORD),
        metadata={"description": "only of such; empty: of any", "example": "1024x1024"},
    )
    quality = fields.String(load_default="", validate=validate.Length(max=MAX_WORD))


class PricesBody(Schema):
    input = _price("of a prompt")
    cached = _price("of a prompt's cached part")
    cache_creation = _price("of what a prompt puts into the cache")
    output = _price("of an answer")
    units = fields.List(fields.Nested(UnitPriceBody), load_default=list, validate=validate.Length(max=MAX_UNIT_PRICES))


class ModelBody(Schema):
    """A model that the gateway serves."""

    model_name = fields.String(required=True, validate=validate.Length(1, 255), metadata={"example": "acme/small"})
    type = fields.String(load_default="external_llm", validate=validate.OneOf(LLM_TYPES))
    provider = fields.String(load_default="", validate=validate.Length(max=64))
    task = fields.String(load_default="text-generation", validate=validate.Length(max=64))
    enabled = fields.Boolean(load_default=True)
    namespace = fields.String(
        load_default="", validate=validate.Length(max=64), metadata={"description": "whose it is alone; empty: all"}
    )
    repo_path = fields.String(load_default="", validate=validate.Length(max=255))
    strategy = fields.String(load_default="weighted", validate=validate.OneOf(STRATEGIES))
    session_header = fields.String(load_default="", validate=validate.Length(max=64))
    fallbacks = fields.List(
        fields.String(validate=validate.Length(1, 255)), load_default=list, validate=validate.Length(max=MAX_FALLBACKS)
    )
    context_fallbacks = fields.List(
        fields.String(validate=validate.Length(1, 255)),
        load_default=list,
        validate=validate.Length(max=MAX_FALLBACKS),
        metadata={"description": "models that take what is too long for this one"},
    )
    max_tokens = _limit("tokens of an answer where the caller does not say")
    prices = fields.Nested(PricesBody, load_default=dict)
    upstreams = fields.List(fields.Nested(UpstreamBody), load_default=list, validate=validate.Length(max=MAX_UPSTREAMS))


class ModelSchema(ModelBody):
    id = fields.Integer()
    upstreams = fields.List(fields.Nested(UpstreamSchema))
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class ModelsQuery(Schema):
    search = fields.String(load_default="", validate=validate.Length(max=255))
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    per = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class PageQuery(Schema):
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    per = fields.Integer(load_default=50, validate=validate.Range(1, 100))
