"""REST of labels and their categories. Contract: CSGHub, sections 4.2 and 4.7."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from marshmallow import ValidationError

from hub.api import label_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.ids import ROW_ID
from hub.api.repository_schemas import RepositoryLabelSchema
from hub.api.scopes import scope_of_word, word_of_scope
from hub.api.views import label_view
from hub.assets import service
from hub.assets.models import TagCategory
from hub.base.errors import Invalid
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("labels", __name__, url_prefix=PREFIX, description="Labels (the platform calls them tags)")

_LABEL = f"/tags/<{ROW_ID}:label_id>"
_CATEGORY = f"/tags/categories/<{ROW_ID}:category_id>"


def _category_view(category: TagCategory) -> dict[str, Any]:
    return {
        "id": category.id,
        "name": category.name,
        "show_name": category.show_name or category.name,
        "scope": word_of_scope(category.scope),
        "enabled": category.is_enabled,
        "auto_detected": category.is_automatic,
    }


# The labels of a repository.


@blp.at("/tags")
@blp.response(200, enveloped(RepositoryLabelSchema, many=True))
def list_labels_of_repository(address: Address) -> Response:
    """The labels that a repository carries. Git's tags are at ``/git_tags``."""
    with reading(current_context()) as work:
        repository = address.load(work)
        labels = service.labels_of(work, [repository.id]).get(repository.id, [])
    return send_json(ok([label_view(label) for label in labels]))


@blp.at("/tags/<category>", method="POST")
@blp.doc(requestBody=schemas.NAMES_BODY)
@blp.response(200, enveloped())
def set_labels(address: Address, category: str) -> dict[str, Any]:
    """Let the labels of a category that people put on a repository be these. The body is a bare array of names.

    Those that the repository's files brought stay. A name that is not in the catalogue becomes a label.
    """
    names = _names_in_body()
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.set_labels(work, actor=current_actor(), repository=repository, category=category, names=names)
    return ok()


def _names_in_body() -> list[str]:
    try:
        names: list[str] = schemas.NAMES.deserialize(request.get_json(force=True))
    except RecursionError:
        raise Invalid("The request's body is no valid JSON.", code="json_invalid") from None
    except ValidationError as error:
        raise Invalid(
            "The body must be an array of names.", code="REQ-ERR-6", errors={"json": error.messages}
        ) from None
    return names


# The catalogue.


@blp.get("/tags")
@blp.arguments(schemas.LabelsQuery, location="query")
@blp.response(200, enveloped(RepositoryLabelSchema, many=True))
def list_labels(query: dict[str, Any]) -> Response:
    """The labels that there are, for everybody; those that only private repositories carry, for site administrators.

    With ``scope`` and without ``per`` they come without pages.
    """
    is_whole = bool(query["scope"]) and not request.args.get("per")
    with reading(current_context()) as work:
        page = service.list_labels(
            work,
            actor=current_actor(),
            scopes=[scope_of_word(word) for word in query["scope"]],
            categories=query["category"],
            is_builtin=query["built_in"],
            search=query["search"],
            page=None if is_whole else page_args(),
        )
    return send_json(ok([label_view(label) for label in page.items], total=page.total, is_estimate=page.is_estimate))


@blp.post("/tags")
@blp.arguments(schemas.LabelBody)
@blp.response(200, enveloped(RepositoryLabelSchema))
def create_label(body: dict[str, Any]) -> dict[str, Any]:
    """Add a label to the catalogue. For site administrators."""
    scope, is_builtin = scope_of_word(body.pop("scope")), body.pop("built_in")
    with unit_of_work(current_context()) as work:
        label = service.create_label(work, actor=current_actor(), scope=scope, is_builtin=is_builtin, **body)
        return ok(label_view(label))


@blp.get(_LABEL)
@blp.response(200, enveloped(RepositoryLabelSchema))
def show_label(label_id: int) -> dict[str, Any]:
    """One label of the catalogue."""
    with reading(current_context()) as work:
        return ok(label_view(service.get_label(work, actor=current_actor(), label_id=label_id)))


@blp.put(_LABEL)
@blp.arguments(schemas.LabelUpdateBody)
@blp.response(200, enveloped(RepositoryLabelSchema))
def update_label(body: dict[str, Any], label_id: int) -> dict[str, Any]:
    """Change a label of the catalogue, for all repositories that carry it. For site administrators."""
    is_builtin = body.pop("built_in", None)
    with unit_of_work(current_context()) as work:
        label = service.update_label(work, actor=current_actor(), label_id=label_id, is_builtin=is_builtin, **body)
        return ok(label_view(label))


@blp.delete(_LABEL)
@blp.response(200, enveloped())
def delete_label(label_id: int) -> dict[str, Any]:
    """Remove a label from the catalogue and from every repository. For site administrators."""
    with unit_of_work(current_context()) as work:
        service.delete_label(work, actor=current_actor(), label_id=label_id)
    return ok()


@blp.get("/tags/categories")
@blp.response(200, enveloped(schemas.CategorySchema, many=True))
def list_categories() -> dict[str, Any]:
    """All categories of labels, for everybody; without pages."""
    with reading(current_context()) as work:
        return ok([_category_view(category) for category in service.list_categories(work)])


@blp.post("/tags/categories")
@blp.arguments(schemas.CategoryBody)
@blp.response(200, enveloped(schemas.CategorySchema))
def create_category(body: dict[str, Any]) -> dict[str, Any]:
    """Add a category of labels. For site administrators."""
    with unit_of_work(current_context()) as work:
        category = service.create_category(
            work,
            actor=current_actor(),
            scope=scope_of_word(body["scope"]),
            name=body["name"],
            show_name=body["show_name"],
            is_enabled=body["enabled"],
            is_automatic=body["auto_detected"],
        )
        return ok(_category_view(category))


@blp.put(_CATEGORY)
@blp.arguments(schemas.CategoryUpdateBody)
@blp.response(200, enveloped(schemas.CategorySchema))
def update_category(body: dict[str, Any], category_id: int) -> dict[str, Any]:
    """Change a category of labels. For site administrators."""
    with unit_of_work(current_context()) as work:
        category = service.update_category(
            work,
            actor=current_actor(),
            category_id=category_id,
            name=body.get("name"),
            show_name=body.get("show_name"),
            is_enabled=body.get("enabled"),
            is_automatic=body.get("auto_detected"),
        )
        return ok(_category_view(category))


@blp.delete(_CATEGORY)
@blp.response(200, enveloped())
def delete_category(category_id: int) -> dict[str, Any]:
    """Remove a category with its labels. For site administrators."""
    with unit_of_work(current_context()) as work:
        service.delete_category(work, actor=current_actor(), category_id=category_id)
    return ok()
