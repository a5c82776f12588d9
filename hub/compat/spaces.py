"""What spaces are run with and what they are at, as huggingface_hub asks. Hugging Face contract, section 12.

This hub keeps spaces, what they are to be run with, and what on; it runs none by itself: each is paused. What would
start one or change a running one is refused with 400, which the client shows with our words; a status of 5xx it would
ask for again and again.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.accounts.policy import Action, require
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.compat import space_schemas as schemas
from hub.compat import views
from hub.compat.addresses import CompatBlueprint, Place
from hub.compat.schemas import HubEntryBody
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import entries
from hub.repos.models import Repository
from hub.repos.service import environment
from hub.repos.service.environment import SECRETS, VARIABLES, Entry
from hub.repos.service.wishes import find_wishes, set_wishes

blp = CompatBlueprint("spaces", __name__, description="What spaces are run with, and what they are at")

# What must be there for a space to be run, by SDK.
_APP_FILES = {"docker": "Dockerfile", "nginx": "index.html"}
_USUAL_APP_FILE = "app.py"


def _entry_view(entry: Entry) -> dict[str, Any]:
    view: dict[str, Any] = {} if entry.value is None else {"value": entry.value}
    if entry.description:
        view["description"] = entry.description
    if entry.updated_at is not None:
        view["updatedAt"] = views.time_text(entry.updated_at)
    return view


def _list(place: Place, member: str) -> Response:
    with reading(current_context()) as work:
        found = environment.list_entries(work, actor=current_actor(), repository_id=place.load(work).id, member=member)
    return views.send_json({key: _entry_view(entry) for key, entry in found.items()})


def _set(place: Place, member: str, body: dict[str, Any]) -> Response:
    with unit_of_work(current_context()) as work:
        found = environment.set_entry(
            work,
            actor=current_actor(),
            repository_id=place.load(work).id,
            member=member,
            key=body["key"],
            value=body["value"],
            description=body["description"],
        )
    return views.send_json({key: _entry_view(entry) for key, entry in found.items()})


def _remove(place: Place, member: str, key: str) -> Response:
    with unit_of_work(current_context()) as work:
        found = environment.remove_entry(
            work, actor=current_actor(), repository_id=place.load(work).id, member=member, key=key
        )
    return views.send_json({key: _entry_view(entry) for key, entry in found.items()})


@blp.at("/variables")
@blp.response(200, schemas.ENTRIES)
def list_variables(place: Place) -> Response:
    """The variables of a space by name, each with its value."""
    return _list(place, VARIABLES)


@blp.at("/variables", method="POST")
@blp.arguments(HubEntryBody)
@blp.response(200, schemas.ENTRIES)
def set_variable(body: dict[str, Any], place: Place) -> Response:
    """Give a variable a value; all there are now."""
    return _set(place, VARIABLES, body)


@blp.at("/variables", method="DELETE")
@blp.arguments(schemas.HubKeyBody)
@blp.response(200, schemas.ENTRIES)
def remove_variable(body: dict[str, Any], place: Place) -> Response:
    """Forget a variable; all there are now."""
    return _remove(place, VARIABLES, body["key"])


@blp.at("/secrets")
@blp.response(200, schemas.ENTRIES)
def list_secrets(place: Place) -> Response:
    """The secrets of a space by name, never with their values."""
    return _list(place, SECRETS)


@blp.at("/secrets", method="POST")
@blp.arguments(HubEntryBody)
@blp.response(200, schemas.ENTRIES)
def set_secret(body: dict[str, Any], place: Place) -> Response:
    """Keep a secret, sealed; nobody is shown it again. All there are now."""
    return _set(place, SECRETS, body)


@blp.at("/secrets", method="DELETE")
@blp.arguments(schemas.HubKeyBody)
@blp.response(200, schemas.ENTRIES)
def remove_secret(body: dict[str, Any], place: Place) -> Response:
    """Forget a secret; all there are now."""
    return _remove(place, SECRETS, body["key"])


@blp.at("/runtime")
@blp.response(200, schemas.HubRuntimeSchema)
def show_runtime(place: Place) -> dict[str, Any]:
    """What a space is at: NO_APP_FILE while it has nothing to be run, else PAUSED."""
    context, repository = current_context(), place.get()
    if place.kind.name != "space":
        raise NotFound(f"A {place.kind.name} is not run.", code="not_a_space")
    return runtime_view(context, repository)


@blp.at("/logs/run", "/logs/build")
@blp.response(200, content_type="text/event-stream", description="events without end; of this hub, none")
def show_logs(place: Place) -> Response:
    """What a space said, for who may write to it: nothing, as this hub runs none."""
    with reading(current_context()) as work:
        require(work, current_actor(), Action.REPOSITORY_WRITE, place.load(work))
    if place.kind.name != "space":
        raise NotFound(f"A {place.kind.name} is not run.", code="not_a_space")
    return Response(b"", mimetype="text/event-stream", headers={"Cache-Control": "no-store"})


def runtime_view(context: Context, repository: Repository) -> dict[str, Any]:
    """What a space is at, as ``show_runtime`` tells it."""
    wanted = _APP_FILES.get(str(repository.details.get("sdk", "")), _USUAL_APP_FILE)
    try:
        _, found = entries.read_entries(context, repository, revision=repository.default_branch, paths=[wanted])
    except NotFound:  # a branch without a commit
        found = []
    wished = find_wishes(repository)
    return {
        "stage": "PAUSED" if found else "NO_APP_FILE",
        "hardware": {"current": None, "requested": wished.flavor or None},
        "gcTimeout": wished.sleep_s,
        "storage": wished.storage or None,
        "devMode": False,
    }


def _refuse(place: Place) -> dict[str, Any]:
    with reading(current_context()) as work:
        require(work, current_actor(), Action.REPOSITORY_WRITE, place.load(work))
    raise Invalid(
        "This hub keeps spaces but does not run them: there is nothing to start, mount or develop in.",
        code="spaces_not_run",
    )


def _wish(place: Place, **changed: Any) -> dict[str, Any]:
    context = current_context()
    with unit_of_work(context) as work:
        repository = set_wishes(work, actor=current_actor(), repository_id=place.load(work).id, **changed)
    return runtime_view(context, repository)


@blp.at("/hardware", method="POST")
@blp.arguments(schemas.HubHardwareBody)
@blp.response(200, schemas.HubRuntimeSchema)
def ask_for_hardware(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Note what the space is to be run on once something runs it."""
    sleep_s = body["sleepTimeSeconds"]
    return _wish(place, flavor=body["flavor"], **({} if sleep_s is None else {"sleep_s": sleep_s}))


@blp.at("/sleeptime", method="POST")
@blp.arguments(schemas.HubSleepBody)
@blp.response(200, schemas.HubRuntimeSchema)
def ask_for_sleep(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Note after how long without a visit the space may sleep."""
    return _wish(place, sleep_s=body["seconds"])


@blp.at("/pause", method="POST")
@blp.response(200, schemas.HubRuntimeSchema)
def pause(place: Place) -> dict[str, Any]:
    """What the space is at: where none runs, each is paused already."""
    context = current_context()
    with reading(context) as work:
        repository = place.load(work)
        require(work, current_actor(), Action.REPOSITORY_WRITE, repository)
    if place.kind.name != "space":
        raise NotFound(f"A {place.kind.name} is not run.", code="not_a_space")
    return runtime_view(context, repository)


@blp.at("/restart", "/dev-mode", method="POST")
@blp.response(200, schemas.HubRuntimeSchema, description="where a hub runs spaces; this one refuses with 400")
def change_runtime(place: Place) -> dict[str, Any]:
    """Refused: this hub does not run spaces."""
    return _refuse(place)


@blp.at("/volumes", method="PUT")
@blp.response(200, schemas.HubRuntimeSchema, description="where a hub runs spaces; this one refuses with 400")
def set_volumes(place: Place) -> dict[str, Any]:
    """Refused: this hub does not run spaces."""
    return _refuse(place)


@blp.at("/volumes", method="DELETE")
@blp.response(200, schemas.HubRuntimeSchema, description="where a hub runs spaces; this one refuses with 400")
def remove_volumes(place: Place) -> dict[str, Any]:
    """Refused: this hub does not run spaces."""
    return _refuse(place)


@blp.get("/api/spaces/hardware")
@blp.response(200, schemas.HubHardwareSchema(many=True))
def list_hardware() -> list[dict[str, Any]]:
    """What spaces can be run on: nothing yet."""
    return []


@blp.get("/api/spaces/templates")
@blp.response(200, schemas.HubTemplatesSchema)
def list_templates() -> dict[str, Any]:
    """What spaces can be made from: nothing but their SDKs' own starter files."""
    return {"templates": []}
