"""Making, moving and removing repositories, branches and tags, as huggingface_hub asks for it.

Sources: CSGHub contract, section 3.5; Hugging Face contract, section 8.
"""

from __future__ import annotations

from typing import Any

from hub.assets.service.cards import CARD_PATH
from hub.assets.service.tags import OUR_SDKS
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.names import fold_name
from hub.compat import schemas
from hub.compat.addresses import CompatBlueprint, Place, page_url
from hub.compat.gate_schemas import is_private
from hub.db.uow import UnitOfWork, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.words import words_from
from hub.repos import branches, service
from hub.repos.kinds import KINDS, RepositoryKind, find_kind
from hub.repos.models import Repository
from hub.repos.service import environment
from hub.repos.service.wishes import Wishes, notes_of
from hub.repos.starters import NewRepository, space_card

blp = CompatBlueprint("repositories", __name__, description="Repositories as huggingface_hub manages them")


def kind_named(context: Context, name: str | None) -> RepositoryKind:
    """The kind that a request's ``type`` means ("model", "mcp"). Raises Invalid (``REQ-ERR-6``)."""
    kind = context[KINDS].find(name or "model") or find_kind(context, f"{name}s")
    if kind is None:
        raise Invalid(
            f"'type' must be one of {', '.join(entry.name for entry in context[KINDS].values())}.",
            code="REQ-ERR-6",
            member="type",
        )
    return kind


def _path_named(body: dict[str, Any]) -> tuple[str, str]:
    """(namespace, name) of a request; old clients put both into ``name``."""
    name = body["name"]
    if body["organization"] is None and "/" in name:
        namespace, _, name = name.partition("/")
        return namespace, name
    return body["organization"] or current_actor().name, name


def _load(work: UnitOfWork, kind: RepositoryKind, path: str) -> Repository:
    namespace, _, name = path.partition("/")
    return Place(kind, namespace, name).load(work)


def _space_details(body: dict[str, Any]) -> dict[str, Any]:
    """The members of a space that a request names. Raises Invalid (``REQ-ERR-6``)."""
    sdk = body.get("sdk")
    entries = environment.details_of(variables=body["variables"], secrets=body["secrets"])
    return {"sdk": OUR_SDKS.get(sdk, sdk), **entries} if sdk else {**entries}


def _space_notes(body: dict[str, Any]) -> dict[str, Any]:
    notes = environment.notes_for(current_context(), variables=body["variables"], secrets=body["secrets"])
    wishes = Wishes(body["hardware"] or "", body["sleepTimeSeconds"], body["storageTier"] or "")
    return {**notes, **notes_of(wishes)}


def _first_files(kind: RepositoryKind, body: dict[str, Any], namespace: str, name: str) -> dict[str, bytes]:
    """A space's card, where it calls the SDK otherwise than this hub does."""
    sdk = body.get("sdk") or ""
    if kind.name != "space" or sdk not in OUR_SDKS:
        return {}
    new = NewRepository(namespace, name, body["license"] or "", details={"sdk": OUR_SDKS[sdk]})
    return {CARD_PATH: space_card(new, sdk_word=sdk)}


@blp.post("/api/repos/create")
@blp.arguments(schemas.HubCreateBody)
@blp.response(200, schemas.HubCreatedSchema)
@blp.alt_response(409, schema=schemas.HubTakenSchema, description="there is one already; 'url' leads to it")
def create_repository(body: dict[str, Any]) -> dict[str, Any]:
    """Make a repository; it has a first commit on ``main`` when the answer comes."""
    context, kind = current_context(), kind_named(current_context(), body["type"])
    namespace, name = _path_named(body)
    try:
        repository = service.create_repository(
            context,
            actor=current_actor(),
            kind=kind.name,
            namespace=namespace,
            name=name,
            private=is_private(body) or False,
            license=body["license"] or "",
            files=_first_files(kind, body, namespace, name),
            details=_space_details(body) if kind.name == "space" else {},
            notes=_space_notes(body) if kind.name == "space" else {},
        )
    except Conflict as error:
        # Who said "exist_ok" goes on with this address.
        raise Conflict(str(error), code=error.code, url=page_url(f"{namespace}/{name}", kind)) from None
    return {"url": page_url(repository.path, kind), "name": repository.path, "id": repository.path}


@blp.delete("/api/repos/delete")
@blp.arguments(schemas.HubRepoBody)
@blp.response(200, schemas.HubDoneSchema)
def delete_repository(body: dict[str, Any]) -> dict[str, Any]:
    """Delete a repository; it can be brought back for some days."""
    kind = kind_named(current_context(), body["type"])
    with unit_of_work(current_context()) as work:
        repository = _load(work, kind, "/".join(_path_named(body)))
        service.delete_repository(work, actor=current_actor(), repository_id=repository.id)
    return {"success": True}


@blp.post("/api/repos/move")
@blp.arguments(schemas.HubMoveBody)
@blp.response(200, schemas.HubDoneSchema)
def move_repository(body: dict[str, Any]) -> dict[str, Any]:
    """Give a repository another name, another owner, or both; its old path leads to it from then on."""
    kind = kind_named(current_context(), body["type"])
    namespace, slash, name = body["toRepo"].partition("/")
    if not slash or not namespace or not name:
        raise Invalid("'toRepo' must be namespace/name.", code="REQ-ERR-6", member="toRepo")
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        repository = _load(work, kind, body["fromRepo"])
        if fold_name(namespace) == fold_name(repository.namespace.path):
            service.rename_repository(work, actor=actor, repository_id=repository.id, name=name)
        else:
            service.transfer_repository(work, actor=actor, repository_id=repository.id, namespace=namespace, name=name)
    return {"success": True}


@blp.at("/duplicate", method="POST")
@blp.arguments(schemas.HubDuplicateBody)
@blp.response(200, schemas.HubDuplicatedSchema)
@blp.alt_response(409, schema=schemas.HubTakenSchema, description="there is one already; 'url' leads to it")
def duplicate_repository(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Copy a repository, whole when the answer comes. A space's secrets stay behind; those that are sent count."""
    source = place.get()
    namespace, slash, name = body["repository"].rpartition("/")
    try:
        copy = service.fork_repository(
            current_context(),
            actor=current_actor(),
            source_id=source.id,
            namespace=namespace if slash else "",
            name=name,
            private=is_private(body),
            details=_space_details(body) if place.kind.name == "space" else {},
            notes=_space_notes(body) if place.kind.name == "space" else {},
        )
    except Conflict as error:
        path = f"{namespace or current_actor().name}/{name}"
        raise Conflict(str(error), code=error.code, url=page_url(path, place.kind)) from None
    return {"url": page_url(copy.path, place.kind)}


# Branches and tags.


@blp.at("/branch/<path:branch>", method="POST")
@blp.arguments(schemas.HubBranchBody)
@blp.response(200, schemas.HubDoneSchema)
def create_branch(body: dict[str, Any], place: Place, branch: str) -> dict[str, Any]:
    """Make a branch."""
    branches.create_branch(
        current_context(),
        actor=current_actor(),
        repository_id=place.get().id,
        name="/".join(words_from("branch")),
        revision=body["startingPoint"] or "",
    )
    return {"success": True}


@blp.at("/branch/<path:branch>", method="DELETE")
@blp.response(200, schemas.HubDoneSchema)
def delete_branch(place: Place, branch: str) -> dict[str, Any]:
    """Remove a branch."""
    branches.delete_branch(
        current_context(), actor=current_actor(), repository_id=place.get().id, name="/".join(words_from("branch"))
    )
    return {"success": True}


@blp.at("/tag/<path:revision>", method="POST")
@blp.arguments(schemas.HubTagBody)
@blp.response(200, schemas.HubDoneSchema)
def create_tag(body: dict[str, Any], place: Place, revision: str) -> dict[str, Any]:
    """Make a tag at a revision: an annotated one where a message is sent along."""
    branches.create_tag(
        current_context(),
        actor=current_actor(),
        repository_id=place.get().id,
        name=body["tag"],
        revision="/".join(words_from("revision")),
        message=body["message"] or "",
    )
    return {"success": True}


@blp.at("/tag/<path:revision>", method="DELETE")
@blp.response(200, schemas.HubDoneSchema)
def delete_tag(place: Place, revision: str) -> dict[str, Any]:
    """Remove a tag."""
    name = "/".join(words_from("revision"))
    try:
        branches.delete_tag(current_context(), actor=current_actor(), repository_id=place.get().id, name=name)
    except NotFound as error:
        raise NotFound(str(error), code="revision_not_found" if error.code == "tag_not_found" else error.code) from None
    return {"success": True}
