"""The addresses of the API: a converter for the kind of asset, a blueprint class for what lies below a repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, TypeVar

from flask_smorest import Blueprint
from marshmallow import Schema, fields
from sqlalchemy import ColumnElement
from webargs.core import parse_json
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.exceptions import BadRequest
from werkzeug.routing import BaseConverter, Map, Rule

from hub.base.context import Context
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import KINDS, RepositoryKind, find_kind
from hub.repos.models import Repository
from hub.repos.rows import Shown
from hub.repos.service import get_readable, get_shown

View = TypeVar("View", bound=Callable[..., Any])

# The schema of what is no JSON.
BYTES = {"type": "string", "format": "binary"}

PREFIX = "/api/v1"
COLLECTION = "/<collection:kind>"
REPOSITORY = f"{COLLECTION}/<namespace>/<name>"


class LazyRule(Rule):
    """A rule that compiles what builds its addresses when one is first built: of hundreds of rules few ever are.

    Compiling it is nine tenths of making an application: 0.4 s of a start, for 677 rules.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder
        compiled: Callable[..., tuple[str, str]] | None = None

        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            nonlocal compiled
            if compiled is None:
                compiled = compile_now(append_unknown)
            return compiled(rule, **values)

        return build


class CollectionConverter(BaseConverter):
    """An address segment that names a kind of asset ("models", "mcps"), as the ``RepositoryKind``."""

    context: Context

    def __init__(self, map: Map) -> None:
        super().__init__(map)
        self.segments = [segment for kind in self.context[KINDS].values() for segment in kind.segments]
        self.regex = f"(?:{'|'.join(re.escape(segment) for segment in self.segments)})"

    def to_python(self, value: str) -> RepositoryKind:
        kind = find_kind(self.context, value)
        assert kind is not None  # the pattern lets nothing else through
        return kind

    def to_url(self, value: RepositoryKind) -> str:
        return value.api_collection or value.collection


def collection_converter(context: Context) -> type[CollectionConverter]:
    """The converter class for the kinds that this hub knows."""
    return type("CollectionConverter", (CollectionConverter,), {"context": context})


def describe_collection(converter: CollectionConverter) -> dict[str, Any]:
    """The converter in OpenAPI's words."""
    return {"type": "string", "enum": converter.segments}


@dataclass(frozen=True)
class Address:
    """The repository that a request names; whether there is one is another question."""

    kind: RepositoryKind
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    def load(self, work: UnitOfWork) -> Repository:
        """The repository, as a row of a unit of work.

        Raises NotFound when there is none or the request's actor may not read it.
        """
        return get_readable(work, actor=current_actor(), kind=self.kind.name, path=self.path)

    def show(self, work: UnitOfWork, *, also: ColumnElement[Any] | None = None) -> Shown:
        """The repository as answers tell it, in less time. also: as in ``get_shown``. Raises as ``load``."""
        return get_shown(work, actor=current_actor(), kind=self.kind.name, path=self.path, also=also)

    def look(self) -> Shown:
        """As ``show``, where nothing else is read with it."""
        with reading(current_context()) as work:
            return self.show(work)

    def get(self) -> Repository:
        """The repository, for reading. Raises as ``load``."""
        with reading(current_context()) as work:
            return self.load(work)


# What clients send that do not say what they send; not forms, which mean something else.
_UNSAID_TYPES = frozenset({"", "text/plain", "application/octet-stream"})


class BodyParser(FlaskParser):
    """webargs' parser, as forgiving as the platform's: its clients send every member they know of.

    A query's empty value, and a body's null where none is allowed, is as absent. A body without a type is taken for
    JSON. What does not fit is 400 (CSGHub contract, section 1.5).
    """

    DEFAULT_VALIDATION_STATUS = 400

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        lists = _lists_of(schema)
        return {name: values if name in lists else values[0] for name, values in req.args.lists() if any(values)}

    def load_json(self, req: Any, schema: Schema) -> Any:
        return _without_nulls(super().load_json(req, schema), schema)

    def _raw_load_json(self, req: Any) -> Any:
        try:
            if req.mimetype in _UNSAID_TYPES and (body := req.get_data(cache=True)):
                return parse_json(body)
            return super()._raw_load_json(req)
        except (RecursionError, ValueError):  # too deep, no JSON, or a number of thousands of digits
            raise _no_json() from None


@cache
def _lists_of(schema: Schema) -> frozenset[str]:
    """The members that a query may name more than once. webargs looks for them in every request."""
    return frozenset(MultiDictProxy({}, schema).multiple_keys)


def _no_json() -> Invalid:
    return Invalid("The request's body is no valid JSON.", code="json_invalid")


def _without_nulls(given: Any, schema: Schema) -> Any:
    if isinstance(given, list):
        return [_without_nulls(item, schema) for item in given]
    if not isinstance(given, dict):
        return given
    known = {field.data_key or name: field for name, field in schema.load_fields.items()}
    kept = {}
    for name, value in given.items():
        field = known.get(name)
        if value is None and field is not None and not field.allow_none:
            continue
        inner = field.inner if isinstance(field, fields.List) else field
        kept[name] = _without_nulls(value, inner.schema) if isinstance(inner, fields.Nested) else value
    return kept


class ApiBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest publishes no types
    """A blueprint of the API."""

    ARGUMENTS_PARSER = BodyParser()

    def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]:
        """Say what a view takes. Given a class, one schema of it serves all requests: making one takes a while."""
        made = schema() if isinstance(schema, type) else schema
        decorate: Callable[[View], View] = super().arguments(made, **options)
        return decorate

    def response(
        self, status_code: int, schema: Any = None, *, content_type: str | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Say what a view answers. With a content type and no schema it is bytes, which the view sends itself."""
        if schema is None and content_type is not None:
            schema = BYTES
        decorate: Callable[[View], View] = super().response(status_code, schema, content_type=content_type, **options)
        return decorate

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Callable[..., Any] | None = None, **options: Any
    ) -> None:
        """Serve a view at one more address. A view's further addresses are called ``view_2``, ``view_3`` and so on.

        The names stand in the description of the API, so they must not change with what else is in the file.
        """
        name = first = endpoint or getattr(view_func, "__name__", "")
        number = 2
        while name in self._endpoints:
            name, number = f"{first}_{number}", number + 1
        super().add_url_rule(rule, name, view_func, **options)


class RepositoryBlueprint(ApiBlueprint):
    """A blueprint whose views are given the ``Address`` of a repository instead of three strings."""

    def at(self, *suffixes: str, method: str = "GET", segment: str = "") -> Callable[[View], View]:
        """Serve a view below every repository, at each of the suffixes ("/branches", "/tree/<path:path>").

        segment: only below those of the kind that this address segment means.
        """
        place = f"/{segment}/<namespace>/<name>" if segment else REPOSITORY

        def register(view: View) -> View:
            @wraps(view)
            def serve(*args: Any, namespace: str, name: str, kind: RepositoryKind | None = None, **values: Any) -> Any:
                meant = kind or find_kind(current_context(), segment)
                assert meant is not None  # the address has a kind, or the segment means one
                address = Address(meant, namespace, name)
                try:
                    return view(*args, address=address, **values)
                except BadRequest:
                    # Of what the caller may not know of, no form of a request is better than another.
                    address.get()
                    raise

            for suffix in suffixes or ("",):
                self.add_url_rule(place + suffix, view.__name__, serve, methods=[method], strict_slashes=False)
            return view

        return register
