"""Git LFS over HTTP: batch, transfers whole and in parts, verification, locks.

Sources: git-lfs, docs/api/; CSGHub contract, sections 2.5 and 6.4 to 6.6; Hugging Face contract, section 7.3.

Transfer addresses carry their permission in a signed query, because some clients send neither a token nor the given
headers with them. The same addresses without a signature work with an ``Authorization`` header.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, redirect, request

from hub.accounts.policy import Action, Actor
from hub.base.errors import Invalid, NotFound, NotSignedIn, Unprocessable
from hub.db.uow import reading, unit_of_work
from hub.http.actor import git_actor
from hub.http.context import current_context
from hub.http.errors import request_id, speak
from hub.http.files import begins_download, client_of
from hub.http.origin import hub_url
from hub.http.ranges import CHUNK_BYTES, Content, disposition, send_content
from hub.repos.downloads import DOWNLOADS
from hub.repos.lfs import locks, service
from hub.repos.lfs.contents import MAX_PARTS
from hub.repos.lfs.links import SignedLinks
from hub.repos.lfs.tickets import (
    SSH_TOKEN_SCHEME,
    Transfer,
    TransferKind,
    actor_of_transfer,
    is_signed,
    read_ssh_token,
    read_transfer,
)
from hub.repos.lookup import get_readable
from hub.repos.models import Repository
from hub.transport import lfs_json
from hub.transport.routes import repository_route
from hub.transport.urls import RepositoryAddress

MEDIA_TYPE = "application/vnd.git-lfs+json"
# Hugging-Face-shaped addresses are the same below these. Source: CSGHub contract, section 1.1.
PREFIXES = ("csg", "hf", "ms")

blueprint = Blueprint("lfs", __name__)


def install(app: Flask) -> None:
    """Serve LFS below every address of a repository, with and without a prefix; done once, by ``create_app``."""
    app.register_blueprint(blueprint)
    for prefix in PREFIXES:
        app.register_blueprint(blueprint, url_prefix=f"/{prefix}", name=f"lfs_{prefix}")


def _render_lfs_json(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """``{"message", "request_id", "code"}``; what has no room is 507, which git-lfs explains to its user."""
    if code in ("quota_exceeded", "disk_full"):
        status = 507
    response = _answer({"message": message, "request_id": request_id(), "code": code}, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="hub"'
        response.headers["LFS-Authenticate"] = 'Basic realm="hub"'
    return response


speak(blueprint, _render_lfs_json)


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype=MEDIA_TYPE)


# Who asks, and for what.


@dataclass(frozen=True)
class Access:
    """The actor and the repository that a request is about; the services judge what the actor may do."""

    actor: Actor
    repository_id: int
    # By which right content is sent. Who has a signed address was asked for a stronger one when it was signed.
    action: Action = Action.REPOSITORY_WRITE


def _locate(address: RepositoryAddress) -> tuple[Actor, Repository]:
    """The request's actor, and the repository, which the actor may read.

    Raises NotSignedIn for an anonymous actor and a repository that is missing or private alike, so that git-lfs asks
    for a credential; NotFound for a known actor.
    """
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    comes_by_ssh = scheme.lower() == SSH_TOKEN_SCHEME.lower()
    actor = None if comes_by_ssh else git_actor()
    with reading(current_context()) as work:
        only_id = None
        if actor is None:
            actor, only_id = read_ssh_token(work, token.strip())
        try:
            repository = get_readable(work, actor=actor, kind=address.kind, path=address.path)
        except NotFound:
            if actor.is_anonymous and actor.limit is None:
                raise NotSignedIn("Sign in to see whether there is such a repository.") from None
            raise
    if only_id is not None and only_id != repository.id:
        raise NotSignedIn("The credential in the Authorization header is for another repository.")
    return actor, repository


def _access(address: RepositoryAddress) -> Access:
    actor, repository = _locate(address)
    return Access(actor, repository.id)


def _signed_access(kind: TransferKind, *, oid: str, size_bytes: int, part_number: int = 0) -> tuple[Access, Transfer]:
    """What a signed address allows. The path's repository is decoration then: the signature names it."""
    context = current_context()
    transfer = read_transfer(context, kind, request.args, oid=oid, size_bytes=size_bytes, part_number=part_number)
    with reading(context) as work:
        actor = actor_of_transfer(work, transfer)
    return Access(actor, transfer.repository_id, Action.REPOSITORY_PROPOSE), transfer


# Batch.


@repository_route(blueprint, "/info/lfs/objects/batch", methods=["POST"])
def answer_batch(address: RepositoryAddress) -> Response:
    """Where to get or put each of many objects."""
    context = current_context()
    actor, repository = _locate(address)
    wanted = lfs_json.parse_batch(_json_body(), limit=context.settings.lfs_batch_limit)
    result = service.batch(
        context,
        actor=actor,
        repository_id=repository.id,
        operation=wanted.operation,
        objects=wanted.objects,
        transfers=wanted.transfers,
        has_upload_id=wanted.has_upload_id,
        for_proposal=lfs_json.is_for_proposal(wanted.ref),
        links=SignedLinks(context, actor, repository, base_url=hub_url(), ref=wanted.ref),
    )
    if oids := [answer.oid for answer in result.objects if answer.is_sent_elsewhere]:
        context[DOWNLOADS].count_fetched(repository.id, oids, client=client_of(actor))
    objects = [_render_object(answer, result.expires_in_s) for answer in result.objects]
    return _answer({"transfer": result.transfer, "objects": objects, "hash_algo": "sha256"})


def _render_object(answer: service.ObjectAnswer, expires_in_s: int) -> dict[str, Any]:
    rendered: dict[str, Any] = {"oid": answer.oid, "size": answer.size_bytes}
    if answer.error is not None:
        status, message = answer.error
        rendered["error"] = {"code": status, "message": message}
    elif answer.actions:
        # The addresses need no credential, and git-lfs must not add one to those of the object store.
        rendered["authenticated"] = True
        rendered["actions"] = {
            name: {"href": action.href, "header": action.header, "expires_in": expires_in_s}
            for name, action in answer.actions.items()
        }
    return rendered


# Transfers.


@repository_route(blueprint, "/info/lfs/objects/<oid>", methods=["GET"])
def send_object(address: RepositoryAddress, oid: str) -> Response:
    """The object's bytes, or some of them. ``save_as`` names the file that a browser makes of them."""
    return _send(address, oid)


@repository_route(blueprint, "/info/lfs/<oid>", methods=["GET"])
def send_object_short(address: RepositoryAddress, oid: str) -> Response:
    """As ``send_object``: the address that CSGHub's clients know."""
    return _send(address, oid)


def _send(address: RepositoryAddress, oid: str) -> Response:
    context = current_context()
    if is_signed(request.args):
        size_bytes = lfs_json.parse_limit(request.args.get("size"), -1)
        access, _ = _signed_access(TransferKind.DOWNLOAD, oid=oid, size_bytes=size_bytes)
    else:
        access = _access(address)
    found = service.get_content(context, actor=access.actor, repository_id=access.repository_id, oid=oid)
    filename = request.args.get("save_as") or None
    if begins_download():
        context[DOWNLOADS].count_fetched(access.repository_id, [oid], client=client_of(access.actor))
    if request.method == "GET":
        direct_url = found.direct_url(expires_s=context.settings.lfs_url_ttl_s, filename=filename)
        if direct_url is not None:
            return redirect(direct_url)  # type: ignore[return-value]  # werkzeug's response; Flask makes its own of it
    content = Content(found.size_bytes, found.oid, found.open_range, found.local_path, found.created_at)
    return send_content(content, headers={"Content-Disposition": disposition(filename)} if filename else None)


@repository_route(blueprint, "/info/lfs/objects/<oid>/<int:size_bytes>", methods=["PUT"])
def receive_object(address: RepositoryAddress, oid: str, size_bytes: int) -> Response:
    """The bytes of one object."""
    if is_signed(request.args):
        access, _ = _signed_access(TransferKind.UPLOAD, oid=oid, size_bytes=size_bytes)
    else:
        access = _access(address)
    service.receive_object(
        current_context(),
        actor=access.actor,
        repository_id=access.repository_id,
        oid=oid,
        size_bytes=size_bytes,
        chunks=_body_chunks(size_bytes),
        action=access.action,
    )
    return _answer({})


@repository_route(blueprint, "/info/lfs/objects/<oid>/<int:size_bytes>/parts/<int:number>", methods=["PUT"])
def receive_part(address: RepositoryAddress, oid: str, size_bytes: int, number: int) -> Response:
    """The bytes of one part of an object; the answer's ``ETag`` is asked for at completion."""
    access, transfer = _signed_access(TransferKind.PART, oid=oid, size_bytes=size_bytes, part_number=number)
    if request.content_length is None:
        raise Invalid("A part needs a Content-Length.", code="length_required")
    etag = service.receive_part(
        current_context(),
        actor=access.actor,
        repository_id=access.repository_id,
        oid=oid,
        upload_id=transfer.upload_id,
        number=number,
        size_bytes=request.content_length,
        chunks=_body_chunks(request.content_length),
        action=access.action,
    )
    response = _answer({})
    response.headers["ETag"] = f'"{etag}"'
    return response


@blueprint.post("/api/v1/complete_multipart")
def complete_upload() -> Response:
    """Put the parts of an upload together."""
    oid = request.args.get("oid", "")
    size_bytes = lfs_json.parse_limit(request.args.get("size"), -1)
    access, transfer = _signed_access(TransferKind.COMPLETE, oid=oid, size_bytes=size_bytes)
    named, parts = lfs_json.parse_parts(_json_body(), limit=MAX_PARTS)
    if named not in (None, oid):
        raise Invalid("The address is for another object.", code="lfs_object_invalid")
    service.complete_upload(
        current_context(),
        actor=access.actor,
        repository_id=access.repository_id,
        oid=oid,
        size_bytes=size_bytes,
        upload_id=transfer.upload_id,
        parts=parts,
        action=access.action,
    )
    return _answer({})


@repository_route(blueprint, "/info/lfs/verify", methods=["POST"])
def verify_object(address: RepositoryAddress) -> Response:
    """Whether an upload has arrived."""
    oid, size_bytes = lfs_json.parse_verified(_json_body())
    if is_signed(request.args):
        access, _ = _signed_access(TransferKind.VERIFY, oid=oid, size_bytes=size_bytes)
    else:
        access = _access(address)
    service.verify_object(
        current_context(),
        actor=access.actor,
        repository_id=access.repository_id,
        oid=oid,
        size_bytes=size_bytes,
        action=access.action,
    )
    return _answer({})


def _body_chunks(size_bytes: int) -> Iterator[bytes]:
    """The request's body in chunks. Raises Unprocessable (``size_mismatch``) when another length is announced."""
    if request.content_length is not None and request.content_length != size_bytes:
        raise Unprocessable(
            f"The request announces {request.content_length} bytes for a content of {size_bytes}.", code="size_mismatch"
        )
    request.max_content_length = None
    stream = request.stream

    def read() -> Iterator[bytes]:
        # One more byte than announced would be read, too, and refused.
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk

    return read()


def _json_body() -> bytes:
    request.max_content_length = current_context().settings.request_body_limit_bytes
    return request.get_data(cache=False)


# Locks.


@repository_route(blueprint, "/info/lfs/locks", methods=["GET"])
def list_locks(address: RepositoryAddress) -> Response:
    """The locks, a page at a time."""
    access = _access(address)
    with reading(current_context()) as work:
        page = locks.list_locks(
            work,
            actor=access.actor,
            repository_id=access.repository_id,
            path=request.args.get("path"),
            lock_id=request.args.get("id"),
            cursor=request.args.get("cursor"),
            limit=lfs_json.parse_limit(request.args.get("limit"), locks.MAX_LOCKS),
        )
        return _answer({"locks": [_render_lock(lock) for lock in page.locks], **_next_cursor(page)})


@repository_route(blueprint, "/info/lfs/locks", methods=["POST"])
def create_lock(address: RepositoryAddress) -> Response:
    """Lock a file."""
    access = _access(address)
    body = lfs_json.parse_object(_json_body())
    lfs_json.parse_ref(body)
    path = body.get("path")
    if not isinstance(path, str):
        raise Invalid("'path' must be the path of a file.", code="path_invalid")
    try:
        with unit_of_work(current_context()) as work:
            lock = locks.create_lock(work, actor=access.actor, repository_id=access.repository_id, path=path)
            return _answer({"lock": _render_lock(lock)})
    except locks.LockExists as error:
        return _answer({"lock": _render_lock(error.lock), "message": str(error), "request_id": request_id()}, 409)


@repository_route(blueprint, "/info/lfs/locks/verify", methods=["POST"])
def verify_locks(address: RepositoryAddress) -> Response:
    """Before a push: which locks are the pusher's own, and which are in the way."""
    access = _access(address)
    body = lfs_json.parse_object(_json_body())
    lfs_json.parse_ref(body)
    cursor = body.get("cursor")
    with reading(current_context()) as work:
        page = locks.list_locks_for_push(
            work,
            actor=access.actor,
            repository_id=access.repository_id,
            cursor=str(cursor) if cursor else None,
            limit=lfs_json.parse_limit(body.get("limit"), locks.MAX_LOCKS),
        )
        ours = [_render_lock(lock) for lock in page.locks if lock.owner_id == access.actor.user_id]
        theirs = [_render_lock(lock) for lock in page.locks if lock.owner_id != access.actor.user_id]
        return _answer({"ours": ours, "theirs": theirs, **_next_cursor(page)})


@repository_route(blueprint, "/info/lfs/locks/<lock_id>/unlock", methods=["POST"])
def remove_lock(address: RepositoryAddress, lock_id: str) -> Response:
    """Unlock a file."""
    access = _access(address)
    body = lfs_json.parse_object(_json_body())
    lfs_json.parse_ref(body)
    force = body.get("force") or False
    if not isinstance(force, bool):
        raise Invalid("'force' must be true or false.", code="lfs_force_invalid")
    with unit_of_work(current_context()) as work:
        lock = locks.remove_lock(
            work, actor=access.actor, repository_id=access.repository_id, lock_id=lock_id, force=force
        )
        return _answer({"lock": _render_lock(lock)})


def _render_lock(lock: locks.Lock) -> dict[str, Any]:
    return {
        "id": str(lock.id),
        "path": lock.path,
        "locked_at": lock.locked_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "owner": {"name": lock.owner_name},
    }


def _next_cursor(page: locks.LockPage) -> dict[str, str]:
    return {"next_cursor": page.next_cursor} if page.next_cursor else {}
