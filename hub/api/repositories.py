"""REST of repositories as wholes: lists, making, changing, moving, removing, sharing. Contract: CSGHub, section 4.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Response, request
from marshmallow import INCLUDE

from hub.accounts import service as accounts
from hub.accounts.models import Grant
from hub.accounts.policy import Action, require
from hub.api import repository_schemas as schemas
from hub.api.envelope import enveloped, messaged, ok, paged, send_json
from hub.api.queries import check_count, conditions_of
from hub.api.schemas import JobSchema, PageQuery
from hub.api.shapes import shape_of
from hub.api.views import (
    add_weights,
    brief_repository_view,
    job_view,
    push_view,
    repository_extra_view,
    repository_path_view,
    repository_views,
)
from hub.assets.records.packages import create_from_package
from hub.assets.search.listing import source_asked
from hub.assets.service import labels_of, read_prompts
from hub.assets.service.modelmetadata import ALSO
from hub.base.errors import Invalid
from hub.base.paging import Page
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import COLLECTION, PREFIX, Address, RepositoryBlueprint
from hub.jobs.service import list_jobs
from hub.repos import branches, pushes, service
from hub.repos.addresses import CloneAddresses
from hub.repos.kinds import RepositoryKind
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow, Shown

blp = RepositoryBlueprint("repositories", __name__, url_prefix=PREFIX, description="Repositories of every kind")

_CREATED_WITH = frozenset(schemas.CommonCreateBody._declared_fields)
_CHANGED_BY = frozenset(schemas.CommonUpdateBody._declared_fields)


def answer(repository_id: int) -> Response:
    """The repository as it stands now."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = service.get_readable(work, actor=actor, repository_id=repository_id)
        return send_json(ok(repository_views(work, actor, [repository])[0]))


def _list(
    work: UnitOfWork, kind: RepositoryKind, query: dict[str, Any], namespace: str | None = None
) -> Page[RepositoryRow]:
    return service.list_repositories(
        work,
        actor=current_actor(),
        kind=kind.name,
        namespace=namespace,
        search=query["search"],
        sort=query["sort"],
        source=source_asked(query),
        where=conditions_of(work, kind, query),
        also=ALSO,
        page=page_args(),
    )


def _views(work: UnitOfWork, repositories: Sequence[Shown]) -> list[dict[str, Any]]:
    views = repository_views(work, current_actor(), repositories)
    # Read as it comes: a schema for this one member would take a good part of the time that a page of one may take.
    if request.args.get("need_op_weight", "").lower() in ("true", "1"):
        add_weights(work, views, repositories)
    return views


@blp.get(COLLECTION)
@blp.arguments(schemas.ListQuery, location="query", unknown=INCLUDE)
@blp.response(
    200,
    {"oneOf": [enveloped(schemas.RepositorySchema, many=True), enveloped(schemas.RepositorySchema, paged=True)]},
)
def list_repositories(query: dict[str, Any], kind: RepositoryKind) -> Response:
    """The repositories of a kind that the caller may see. For MCP servers ``data`` is ``{"data", "total"}``."""
    with reading(current_context()) as work:
        page = _list(work, kind, query, query["namespace"] or None)
        views = _views(work, page.items)
    if shape_of(kind.name).is_list_nested:
        return send_json(paged(views, page.total, is_estimate=page.is_estimate))
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))


@blp.get(f"{COLLECTION}/v2")
@blp.arguments(schemas.ListQuery, location="query", unknown=INCLUDE)
@blp.response(200, enveloped(schemas.BriefRepositorySchema, many=True))
def list_briefly(query: dict[str, Any], kind: RepositoryKind) -> Response:
    """As the other list, with what is told at once. ``POST /repos/extra`` tells the rest."""
    with reading(current_context()) as work:
        page = _list(work, kind, query, query["namespace"] or None)
        views = [brief_repository_view(repository) for repository in page.items]
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))


@blp.get(f"/user/<namespace>{COLLECTION}")
@blp.get(f"/organization/<namespace>{COLLECTION}")
@blp.arguments(schemas.NamespaceListQuery, location="query", unknown=INCLUDE)
@blp.response(200, enveloped(schemas.RepositorySchema, many=True))
def list_namespace_repositories(query: dict[str, Any], namespace: str, kind: RepositoryKind) -> Response:
    """The repositories of a kind that a user or organisation owns, as far as the caller may see them."""
    with reading(current_context()) as work:
        page = _list(work, kind, query, accounts.get_namespace(work, namespace).path)
        views = _views(work, page.items)
    return send_json(messaged(views, page.total, is_estimate=page.is_estimate))


@blp.post("/repos/extra")
@blp.arguments(schemas.ExtraBody)
@blp.response(200, enveloped(schemas.RepositoryExtraSchema, many=True))
def show_extra(body: dict[str, Any]) -> Response:
    """What brief lists leave out, for those of the repositories that the caller may see."""
    context = current_context()
    check_count("repo_ids", body["repo_ids"], most=schemas.MAX_IDS)
    with reading(context) as work:
        found = service.list_by_ids(work, actor=current_actor(), ids=body["repo_ids"])
        labels, addresses = labels_of(work, [repository.id for repository in found]), CloneAddresses(context)
        return send_json(
            ok([repository_extra_view(addresses, repository, labels.get(repository.id, [])) for repository in found])
        )


@blp.post("/list/<collection:kind>_by_path")
@blp.arguments(schemas.PathsBody)
@blp.response(200, enveloped(schemas.RepositoryPathSchema, many=True))
def list_by_paths(body: dict[str, Any], kind: RepositoryKind) -> Response:
    """Those of the repositories at these paths that the caller may see."""
    check_count("paths", body["paths"], most=schemas.MAX_IDS)
    with reading(current_context()) as work:
        found = service.list_by_paths(work, actor=current_actor(), kind=kind.name, paths=body["paths"])
        labels = labels_of(work, [repository.id for repository in found])
        return send_json(ok([repository_path_view(repository, labels.get(repository.id, [])) for repository in found]))


@blp.post(COLLECTION)
@blp.arguments(schemas.CreateBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def create_repository(body: dict[str, Any], kind: RepositoryKind) -> Response:
    """Make a repository; it has a first commit on its default branch when the answer comes."""
    common = {name: body[name] for name in _CREATED_WITH}
    packed = {of: body[member] for of, member in schemas.PACKAGES.items() if body.get(member)}
    if packed and kind.name not in packed:
        raise Invalid("A package is of code or of a skill, by the member of that name.", code="REQ-ERR-6")
    if packed:
        repository = create_from_package(
            current_context(),
            actor=current_actor(),
            sha256=packed[kind.name],
            kind=kind.name,
            details=body,
            **common,
        )
    else:
        repository = service.create_repository(
            current_context(), actor=current_actor(), kind=kind.name, details=body, **common
        )
    return answer(repository.id)


@blp.at()
@blp.doc(parameters=[schemas.NEED_OP_WEIGHT_PARAMETER])
@blp.response(200, {"oneOf": [enveloped(schemas.RepositorySchema), enveloped(schemas.PromptRepositorySchema)]})
def show_repository(address: Address) -> Response:
    """One repository, at its path of today or a former one. Of a prompt repository ``data`` has its prompts, too."""
    with reading(current_context()) as work:
        return send_json(ok(_views(work, [address.show(work, also=ALSO)])[0]))


@blp.get("/prompts/<namespace>/<name>", strict_slashes=False)
@blp.doc(parameters=[schemas.NEED_OP_WEIGHT_PARAMETER])
@blp.response(200, enveloped(schemas.PromptRepositorySchema))
def show_prompts(namespace: str, name: str) -> Response:
    """One prompt repository and the prompts in it: files ``*.jsonl`` of its root, each one JSON object.

    At most 100 of them, none larger than 1 MiB and not in LFS; what is no prompt is left out.
    """
    context = current_context()
    with reading(context) as work:
        repository = service.get_readable(work, actor=current_actor(), kind="prompt", path=f"{namespace}/{name}")
        detail = _views(work, [repository])[0]
    access = {member: detail[member] for member in ("can_write", "can_manage")}
    found = read_prompts(context, repository, actor=current_actor())
    prompts = [asdict(prompt) | {"file_path": path} | access for path, prompt in found]
    return send_json(ok({"detail": detail, "prompts": prompts}))


@blp.get("/prompts_info/<namespace>/<name>")
@blp.response(200, enveloped(schemas.RepositorySchema))
def show_prompt_repository(namespace: str, name: str) -> Response:
    """One prompt repository, without the prompts in it."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = service.get_readable(work, actor=actor, kind="prompt", path=f"{namespace}/{name}")
        return send_json(ok(repository_views(work, actor, [repository])[0]))


@blp.at(method="PUT")
@blp.arguments(schemas.UpdateBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def update_repository(body: dict[str, Any], address: Address) -> Response:
    """Change some members; those that are absent stay. A new name leaves a redirect at the old path."""
    context, actor, repository = current_context(), current_actor(), address.get()
    common = {member: body[member] for member in _CHANGED_BY if body.get(member) is not None}
    name, default_branch = common.pop("name", None), common.pop("default_branch", None)
    # What may be refused comes first, so that the whole is.
    if default_branch is not None:
        branches.check_default_branch(context, actor=actor, repository_id=repository.id, name=default_branch)
    with unit_of_work(context) as work:
        service.update_repository(work, actor=actor, repository_id=repository.id, details=body, **common)
        if name is not None:
            service.rename_repository(work, actor=actor, repository_id=repository.id, name=name)
    if default_branch is not None:
        branches.set_default_branch(context, actor=actor, repository_id=repository.id, name=default_branch)
    return answer(repository.id)


@blp.at(method="DELETE")
@blp.response(200, enveloped())
def delete_repository(address: Address) -> dict[str, Any]:
    """Delete a repository. Its name is free at once; it can be brought back for some days (see undelete)."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.delete_repository(work, actor=current_actor(), repository_id=repository.id)
    return ok()


@blp.at("/undelete", method="POST")
@blp.response(200, enveloped(schemas.RepositorySchema))
def undelete_repository(address: Address) -> Response:
    """Bring back the repository that was deleted last at this path."""
    with unit_of_work(current_context()) as work:
        repository = service.undelete_repository(work, actor=current_actor(), kind=address.kind.name, path=address.path)
    return answer(repository.id)


@blp.at("/transfer", method="POST")
@blp.arguments(schemas.TransferBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def transfer_repository(body: dict[str, Any], address: Address) -> Response:
    """Give the repository to another user or organisation; the old path leads to it from then on."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.transfer_repository(
            work, actor=current_actor(), repository_id=repository.id, namespace=body["new_namespace"]
        )
    return answer(repository.id)


@blp.at("/fork", method="POST")
@blp.arguments(schemas.ForkBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def fork_repository(body: dict[str, Any], address: Address) -> Response:
    """Copy a repository with its branches, tags and LFS objects. The fork of a private one is private."""
    fork = service.fork_repository(current_context(), actor=current_actor(), source_id=address.get().id, **body)
    return answer(fork.id)


@blp.at("/archive", method="POST")
@blp.response(200, enveloped(schemas.RepositorySchema))
def archive_repository(address: Address) -> Response:
    """Let nobody write to the repository any more; it stays readable."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.archive_repository(work, actor=current_actor(), repository_id=repository.id)
    return answer(repository.id)


@blp.at("/archive", method="DELETE")
@blp.response(200, enveloped(schemas.RepositorySchema))
def unarchive_repository(address: Address) -> Response:
    """Let the repository be written again."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.unarchive_repository(work, actor=current_actor(), repository_id=repository.id)
    return answer(repository.id)


# Collaborators.


def _collaborator_view(grant: Grant) -> dict[str, Any]:
    return {
        "username": grant.user.name,
        "nickname": grant.user.nickname or grant.user.name,
        "role": grant.role.value,
        "created_at": grant.created_at,
    }


@blp.at("/collaborators")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.CollaboratorSchema, many=True))
def list_collaborators(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Who was given a role on this repository, for those who administer it."""
    with reading(current_context()) as work:
        page = accounts.list_grants(work, actor=current_actor(), resource=address.load(work), page=page_args())
    return ok([_collaborator_view(grant) for grant in page.items], total=page.total)


@blp.at("/collaborators/<username>", method="PUT")
@blp.arguments(schemas.CollaboratorBody)
@blp.response(200, enveloped(schemas.CollaboratorSchema))
def set_collaborator(body: dict[str, Any], address: Address, username: str) -> dict[str, Any]:
    """Give a user a role on this repository, or another than they had."""
    with unit_of_work(current_context()) as work:
        repository, user = address.load(work), accounts.get_user(work, username)
        grant = accounts.set_grant(work, actor=current_actor(), resource=repository, user=user, role=body["role"])
        return ok(_collaborator_view(grant))


@blp.at("/collaborators/<username>", method="DELETE")
@blp.response(200, enveloped())
def remove_collaborator(address: Address, username: str) -> dict[str, Any]:
    """Take a user's role on this repository away."""
    with unit_of_work(current_context()) as work:
        repository, user = address.load(work), accounts.get_user(work, username)
        accounts.remove_grant(work, actor=current_actor(), resource=repository, user=user)
    return ok()


# What happened and what happens.


@blp.at("/pushes")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.PushSchema, many=True))
def list_pushes(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The changes of branches and tags, newest first."""
    with reading(current_context()) as work:
        repository = address.load(work)
        page = pushes.list_pushes(work, actor=current_actor(), repository_id=repository.id, page=page_args())
    return ok([push_view(push, name) for push, name in page.items], total=page.total)


@blp.at("/jobs")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(JobSchema, many=True))
def list_repository_jobs(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Background work on this repository, newest first, for those who administer it."""
    with reading(current_context()) as work:
        repository = address.load(work)
        require(work, current_actor(), Action.REPOSITORY_ADMIN, repository)
        jobs = list_jobs(work, subject=(Repository.resource_type, repository.id), page=page_args())
    return ok([job_view(job) for job in jobs.items], total=jobs.total)
