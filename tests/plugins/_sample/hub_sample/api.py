"""REST: ``/api/v1/sample``, ``/api/v1/{kind}/notes`` and ``/api/v1/{kind}/{namespace}/{name}/notes``."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from hub.plugin.api import (
    PREFIX,
    Address,
    RepositoryBlueprint,
    current_actor,
    current_context,
    enveloped,
    keep_open,
    ok,
    page_args,
)
from hub.plugin.db import reading, unit_of_work
from hub.plugin.drivers import DriverGroup, load_driver
from hub.plugin.settings import settings_of
from hub_sample import service
from hub_sample.greeters import Greeter
from hub_sample.plugin import SampleSettings

blp = RepositoryBlueprint("sample_api", __name__, url_prefix=PREFIX, description="Notes on repositories")


class NoteSchema(Schema):
    """A note."""

    id = fields.Integer()
    text = fields.String()


class NoteBody(Schema):
    """What a new note says."""

    text = fields.String(required=True)
    pinned = fields.Boolean(load_default=False)


class GreetingSchema(Schema):
    """A greeting."""

    greeting = fields.String()


@blp.get("/sample")
@blp.response(200, enveloped(GreetingSchema))
def greet() -> dict[str, Any]:
    """A greeting by the driver that the settings name."""
    context = current_context()
    group: DriverGroup[Greeter] = DriverGroup("hub.sample.greeters", Greeter, "greeter")
    greeter = load_driver(group, settings_of(context, SampleSettings).greeter)()
    return ok({"greeting": greeter.greet(current_actor().name or "stranger")})


@blp.post("/sample/stop")
@blp.response(200, enveloped())
@keep_open
def stop() -> dict[str, Any]:
    """Something that must go on once the licence has expired."""
    return ok()


@blp.get("/<collection:kind>/notes")
@blp.response(200, enveloped(GreetingSchema))
def explain(kind: Any) -> dict[str, Any]:
    """On what notes are written."""
    return ok({"greeting": f"Notes on {kind.collection}."})


@blp.at("/notes")
@blp.response(200, enveloped(NoteSchema, many=True))
def list_notes(address: Address) -> dict[str, Any]:
    """The notes on a repository, newest first."""
    with reading(current_context()) as work:
        repository = address.load(work)
        page = service.list_notes(work, actor=current_actor(), repository=repository, page=page_args())
        return ok([{"id": note.id, "text": note.text} for note in page.items], total=page.total)


@blp.at("/notes", method="POST")
@blp.arguments(NoteBody)
@blp.response(201, enveloped(NoteSchema))
def write_note(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Write a note on a repository."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        note = service.write_note(
            work, actor=current_actor(), repository=repository, text=body["text"], is_pinned=body["pinned"]
        )
        return ok({"id": note.id, "text": note.text})
