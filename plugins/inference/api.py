"""REST of keys, budgets, and the models that the gateway serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select

from hub.plugin.api import PREFIX, RepositoryBlueprint, current_actor, current_context, enveloped, ok, page_args
from hub.plugin.db import UnitOfWork, reading, unit_of_work
from hub.plugin.errors import NotFound
from hub.plugin.policy import Namespace, Organization, User, require_site_admin
from plugins.inference import bounds, catalogue, keys, schemas
from plugins.inference.catalogue import ModelForm, Prices, UpstreamForm
from plugins.inference.keys import Limits
from plugins.inference.limits import NO_POLICY, KeyRules, MinuteLimits, Policy, describe_rules, rules_of
from plugins.inference.models import ApiKey, ServedModel
from plugins.inference.money import Budget
from plugins.inference.unit_prices import read_prices

blp = RepositoryBlueprint("inference_api", __name__, url_prefix=PREFIX, description="The gateway: keys and models")

_KEYS = "/namespaces/<uuid>/apikeys"
_MODELS = "/config/llms"


def find_namespace(work: UnitOfWork, uuid: str) -> Namespace:
    """By its own UUID, or its user's or organisation's. Raises NotFound (``namespace_not_found``)."""
    query = (
        select(Namespace)
        .outerjoin(User, User.namespace_id == Namespace.id)
        .outerjoin(Organization, Organization.namespace_id == Namespace.id)
        .where(or_(Namespace.uuid == uuid, User.uuid == uuid, Organization.uuid == uuid))
    )
    found = work.session.scalars(query.limit(1)).first()
    if found is None:
        raise NotFound("There is no such account.", code="namespace_not_found")
    return found


# Keys


def budgets_of(body: Mapping[str, Any]) -> tuple[Budget, ...]:
    """Those that a body names."""
    return tuple(_budget(one) for one in body["budgets"])


def _budget(body: Mapping[str, Any]) -> Budget:
    return Budget(body["period"], body["hard_nano"], body["soft_nano"])


def _limits(body: Mapping[str, Any]) -> Limits:
    return Limits(
        tuple(body["models"]),
        body["rpm_limit"],
        body["tpm_limit"],
        body["max_parallel_requests"],
        budgets_of(body),
    )


def _rules(body: Mapping[str, Any]) -> KeyRules:
    return KeyRules(
        tuple(body["allowed_routes"]),
        tuple(body["allowed_ips"]),
        body["aliases"],
        {
            model: MinuteLimits(body["model_rpm_limit"].get(model), body["model_tpm_limit"].get(model))
            for model in [*body["model_rpm_limit"], *body["model_tpm_limit"]]
        },
        tuple(body["tags"]),
        body["metadata"],
        body["blocked"],
        {model: _budget(budget) for model, budget in body["model_max_budget"].items()},
    )


def _key_view(key: ApiKey, namespace: Namespace, value: str = "") -> dict[str, Any]:
    limits = keys.limits_of(key)
    return {
        "id": key.id,
        "token_name": key.name,
        "token": value or key.hint,
        "application": "aigateway",
        "token_type": "builtin" if key.is_builtin else "owner",
        "ns_uuid": namespace.uuid,
        "is_active": key.is_active,
        "expired_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "models": limits.models,
        "rpm_limit": limits.requests,
        "tpm_limit": limits.tokens,
        "max_parallel_requests": limits.parallel,
        "budgets": budget_views(limits.budgets),
        **describe_rules(rules_of(key)),
    }


def budget_views(budgets: Sequence[Budget]) -> list[dict[str, Any]]:
    """Budgets in the words of the answer."""
    return [vars(budget) for budget in budgets]


@blp.get(_KEYS)
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.KeySchema, many=True))
def list_keys(_query: dict[str, Any], uuid: str) -> dict[str, Any]:
    """A namespace's API keys, the built-in one first; their values are not shown."""
    with reading(current_context()) as work:
        namespace = find_namespace(work, uuid)
        page = keys.list_keys(work, actor=current_actor(), namespace=namespace, page=page_args())
        return ok([_key_view(key, namespace) for key in page.items], total=page.total)


@blp.post(_KEYS)
@blp.arguments(schemas.NewKeyBody)
@blp.response(200, enveloped(schemas.KeySchema))
def create_key(body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """A new API key; its value is shown this once."""
    with unit_of_work(current_context()) as work:
        namespace = find_namespace(work, uuid)
        key, value = keys.create_key(
            work,
            actor=current_actor(),
            namespace=namespace,
            name=body["name"],
            limits=_limits(body),
            expires_at=body["expired_at"],
            rules=_rules(body),
        )
        return ok(_key_view(key, namespace, value))


@blp.put(f"{_KEYS}/<int:key_id>")
@blp.arguments(schemas.KeyBody)
@blp.response(200, enveloped(schemas.KeySchema))
def change_key(body: dict[str, Any], uuid: str, key_id: int) -> dict[str, Any]:
    """Change an API key. All of it: what is not named gets its default."""
    with unit_of_work(current_context()) as work:
        namespace = find_namespace(work, uuid)
        key = keys.get_key(work, actor=current_actor(), namespace=namespace, key_id=key_id)
        keys.change_key(
            work,
            key,
            name=body["name"],
            limits=_limits(body),
            is_active=body["is_active"],
            expires_at=body["expired_at"],
            rules=_rules(body),
            actor=current_actor(),
        )
        return ok(_key_view(key, namespace))


@blp.put(f"{_KEYS}/<int:key_id>/refresh")
@blp.response(200, enveloped(schemas.KeySchema))
def renew_key(uuid: str, key_id: int) -> dict[str, Any]:
    """A new value for an API key, shown this once; the old one dies within seconds."""
    with unit_of_work(current_context()) as work:
        namespace = find_namespace(work, uuid)
        key = keys.get_key(work, actor=current_actor(), namespace=namespace, key_id=key_id)
        return ok(_key_view(key, namespace, keys.renew_key(work, key)))


@blp.delete(f"{_KEYS}/<int:key_id>")
@blp.response(200, enveloped())
def delete_key(uuid: str, key_id: int) -> dict[str, Any]:
    """Delete an API key; it dies within seconds."""
    with unit_of_work(current_context()) as work:
        key = keys.get_key(work, actor=current_actor(), namespace=find_namespace(work, uuid), key_id=key_id)
        keys.delete_key(work, key)
    return ok()


@blp.get(f"{_KEYS}/builtin")
@blp.response(200, enveloped(schemas.KeySchema))
def show_builtin(uuid: str) -> dict[str, Any]:
    """The namespace's built-in API key; made now if there is none, and only then is its value shown."""
    with unit_of_work(current_context()) as work:
        namespace = find_namespace(work, uuid)
        key, value = keys.get_builtin(work, actor=current_actor(), namespace=namespace)
        return ok(_key_view(key, namespace, value))


@blp.put(f"{_KEYS}/builtin/refresh")
@blp.response(200, enveloped(schemas.KeySchema))
def renew_builtin(uuid: str) -> dict[str, Any]:
    """A new value for the built-in API key, shown this once."""
    with unit_of_work(current_context()) as work:
        namespace = find_namespace(work, uuid)
        key, value = keys.get_builtin(work, actor=current_actor(), namespace=namespace)
        return ok(_key_view(key, namespace, value or keys.renew_key(work, key)))


@blp.get("/namespaces/<uuid>/budgets")
@blp.response(200, enveloped(schemas.BudgetSchema, many=True))
def show_budgets(uuid: str) -> dict[str, Any]:
    """What all API keys of a namespace together may spend."""
    with reading(current_context()) as work:
        budgets = bounds.get_owner_budgets(work, actor=current_actor(), namespace=find_namespace(work, uuid))
        return ok(budget_views(budgets))


@blp.put("/namespaces/<uuid>/budgets")
@blp.arguments(schemas.BudgetsBody)
@blp.response(200, enveloped(schemas.BudgetSchema, many=True))
def set_budgets(body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """Say what all API keys of a namespace together may spend."""
    with unit_of_work(current_context()) as work:
        namespace = find_namespace(work, uuid)
        budgets = bounds.set_owner_budgets(work, actor=current_actor(), namespace=namespace, budgets=budgets_of(body))
        return ok(budget_views(budgets))


# Models


def _form(work: UnitOfWork, body: Mapping[str, Any]) -> ModelForm:
    namespace_id: int | None = None
    if body["namespace"]:
        namespace_id = work.session.scalar(select(Namespace.id).where(Namespace.path_key == body["namespace"].lower()))
        if namespace_id is None:
            raise NotFound("There is no such account.", code="namespace_not_found")
    upstreams = [
        UpstreamForm(
            one["url"],
            one["model_name"],
            one["provider"],
            one["weight"],
            one["tier"],
            one["enabled"],
            one["headers"],
            one["id"],
            one["protocol"],
            one["responses"],
            policy=_policy(one["limit_policy"]),
            checks_health=one["health_check_enabled"],
            breaks_circuit=one["circuit_breaker_enabled"],
            drain_s=one["drain_s"],
        )
        for one in body["upstreams"]
    ]
    return ModelForm(
        body["model_name"],
        upstreams,
        body["provider"],
        body["task"],
        body["type"],
        body["enabled"],
        namespace_id,
        body["repo_path"],
        body["strategy"],
        body["session_header"],
        body["fallbacks"],
        body["max_tokens"],
        Prices(**{**body["prices"], "units": read_prices(body["prices"].get("units", ()))}),
        context_fallbacks=body["context_fallbacks"],
    )


def _policy(body: Mapping[str, Any] | None) -> Policy:
    if body is None or not body["enabled"]:
        return NO_POLICY
    return Policy(**{name: value for name, value in body.items() if name != "enabled"})


def _checked_form(body: Mapping[str, Any]) -> ModelForm:
    context = current_context()
    with reading(context) as work:
        require_site_admin(work, current_actor())
        form = _form(work, body)
    catalogue.check_form(context, form)
    return form


def _model_view(work: UnitOfWork, model: ServedModel) -> dict[str, Any]:
    namespace = work.session.get(Namespace, model.namespace_id) if model.namespace_id else None
    return {
        "id": model.id,
        "model_name": model.name,
        "type": model.llm_type,
        "provider": model.provider,
        "task": model.task,
        "enabled": model.is_enabled,
        "namespace": namespace.path if namespace else "",
        "repo_path": model.repo_path,
        "strategy": model.strategy,
        "session_header": model.session_header,
        "fallbacks": model.fallbacks,
        "context_fallbacks": model.context_fallbacks,
        "max_tokens": model.max_tokens,
        "prices": {
            "input": model.input_nano,
            "cached": model.cached_nano,
            "cache_creation": model.cache_creation_nano,
            "output": model.output_nano,
            "units": model.unit_prices,
        },
        "upstreams": [
            {
                "id": upstream.id,
                "url": upstream.url,
                "model_name": upstream.model_name,
                "provider": upstream.provider,
                "weight": upstream.weight,
                "tier": upstream.tier,
                "enabled": upstream.is_enabled,
                "headers": catalogue.header_names(work.context, upstream),
                "protocol": upstream.protocol,
                "responses": upstream.responses,
                "limit_policy": {"enabled": bool(upstream.limit_policy), **upstream.limit_policy},
                "health_check_enabled": upstream.checks_health,
                "circuit_breaker_enabled": upstream.breaks_circuit,
                "drain_s": upstream.drain_s,
            }
            for upstream in model.upstreams
        ],
        "created_at": model.created_at,
        "updated_at": model.updated_at,
    }


@blp.get(_MODELS)
@blp.arguments(schemas.ModelsQuery, location="query")
@blp.response(200, enveloped(schemas.ModelSchema, many=True))
def list_models(query: dict[str, Any]) -> dict[str, Any]:
    """The models that the gateway serves, for site administrators."""
    with reading(current_context()) as work:
        page = catalogue.list_models(work, actor=current_actor(), search=query["search"], page=page_args())
        return ok([_model_view(work, model) for model in page.items], total=page.total)


@blp.post(_MODELS)
@blp.arguments(schemas.ModelBody)
@blp.response(200, enveloped(schemas.ModelSchema))
def create_model(body: dict[str, Any]) -> dict[str, Any]:
    """Serve one more model, through upstreams that speak OpenAI's protocol or Anthropic's."""
    form = _checked_form(body)
    with unit_of_work(current_context()) as work:
        return ok(_model_view(work, catalogue.create_model(work, actor=current_actor(), form=form)))


@blp.get(f"{_MODELS}/<int:model_id>")
@blp.response(200, enveloped(schemas.ModelSchema))
def show_model(model_id: int) -> dict[str, Any]:
    """One of the models that the gateway serves."""
    with reading(current_context()) as work:
        return ok(_model_view(work, catalogue.get_model(work, actor=current_actor(), model_id=model_id)))


@blp.put(f"{_MODELS}/<int:model_id>")
@blp.arguments(schemas.ModelBody)
@blp.response(200, enveloped(schemas.ModelSchema))
def change_model(body: dict[str, Any], model_id: int) -> dict[str, Any]:
    """Change a model. All of it: upstreams that are not named are gone."""
    form = _checked_form(body)
    with unit_of_work(current_context()) as work:
        model = catalogue.change_model(work, actor=current_actor(), model_id=model_id, form=form)
        return ok(_model_view(work, model))


@blp.delete(f"{_MODELS}/<int:model_id>")
@blp.response(200, enveloped())
def delete_model(model_id: int) -> dict[str, Any]:
    """Serve a model no more."""
    with unit_of_work(current_context()) as work:
        catalogue.delete_model(work, actor=current_actor(), model_id=model_id)
    return ok()
