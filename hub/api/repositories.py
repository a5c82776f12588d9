"""REST of repositories as wholes: lists, making, changing, moving, removing, sharing. Contract: CSGHub, section 4.1."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from hub.accounts import service as accounts
from hub.accounts.models import Grant
from hub.accounts.policy import Action, require
from hub.api import schemas
from hub.api.envelope import enveloped, messaged, ok, paged
from hub.api.views import job_view, push_view, repository_views
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import COLLECTION, PREFIX, Address, RepositoryBlueprint
from hub.jobs.service import list_jobs
from hub.repos import branches, pushes, service
from hub.repos.kinds import RepositoryKind
from hub.repos.models import Repository

blp = RepositoryBlueprint("repositories", __name__, url_prefix=PREFIX, description="Repositories of every kind")

# The one kind whose list has another shape upstream. Source: CSGHub contract, section 1.4.
_KINDS_OF_SHAPE_B = frozenset({"mcpserver"})
# Members of a create request that only some kinds understand.
_KIND_OPTIONS = ("sdk",)


def _answer(repository_id: int) -> dict[str, Any]:
    """The repository as it stands now."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = service.get_readable(work, actor=actor, repository_id=repository_id)
        return ok(repository_views(work, actor, [repository])[0])


@blp.get(COLLECTION)
@blp.arguments(schemas.ListQuery, location="query")
@blp.response(200, enveloped(schemas.RepositorySchema, many=True))
def list_repositories(query: dict[str, Any], kind: RepositoryKind) -> dict[str, Any] | Response:
    """The repositories of a kind that the caller may see. For MCP servers ``data`` is ``{"data", "total"}``."""
    actor = current_actor()
    with reading(current_context()) as work:
        page = service.list_repositories(
            work,
            actor=actor,
            kind=kind.name,
            namespace=query["namespace"] or None,
            search=query["search"],
            sort=query["sort"],
            page=page_args(),
        )
        views = repository_views(work, actor, page.items)
    if kind.name in _KINDS_OF_SHAPE_B:
        return jsonify(paged(schemas.RepositorySchema(many=True).dump(views), page.total))
    return ok(views, total=page.total)


@blp.get(f"/user/<namespace>{COLLECTION}")
@blp.get(f"/organization/<namespace>{COLLECTION}")
@blp.arguments(schemas.ListQuery, location="query")
@blp.response(200, enveloped(schemas.RepositorySchema, many=True))
def list_namespace_repositories(query: dict[str, Any], namespace: str, kind: RepositoryKind) -> dict[str, Any]:
    """The repositories of a kind that a user or organisation owns, as far as the caller may see them."""
    actor = current_actor()
    with reading(current_context()) as work:
        page = service.list_repositories(
            work,
            actor=actor,
            kind=kind.name,
            namespace=accounts.get_namespace(work, namespace).path,
            search=query["search"],
            sort=query["sort"],
            page=page_args(),
        )
        return messaged(repository_views(work, actor, page.items), page.total)


@blp.post(COLLECTION)
@blp.arguments(schemas.CreateBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def create_repository(body: dict[str, Any], kind: RepositoryKind) -> dict[str, Any]:
    """Make a repository; it has a first commit on its default branch when the answer comes."""
    options = {name: body.pop(name) for name in _KIND_OPTIONS}
    repository = service.create_repository(
        current_context(), actor=current_actor(), kind=kind.name, options=options, **body
    )
    return _answer(repository.id)


@blp.at()
@blp.response(200, enveloped(schemas.RepositorySchema))
def show_repository(address: Address) -> dict[str, Any]:
    """One repository, at its path of today or a former one."""
    return _answer(address.get().id)


@blp.at(method="PUT")
@blp.arguments(schemas.UpdateBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def update_repository(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Change some members; those that are absent stay. A new name leaves a redirect at the old path."""
    context, actor, repository = current_context(), current_actor(), address.get()
    name, default_branch = body.pop("name", None), body.pop("default_branch", None)
    if default_branch is not None:
        branches.set_default_branch(context, actor=actor, repository_id=repository.id, name=default_branch)
    with unit_of_work(context) as work:
        if body:
            service.update_repository(work, actor=actor, repository_id=repository.id, **body)
        if name is not None:
            service.rename_repository(work, actor=actor, repository_id=repository.id, name=name)
    return _answer(repository.id)


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
def undelete_repository(address: Address) -> dict[str, Any]:
    """Bring back the repository that was deleted last at this path."""
    with unit_of_work(current_context()) as work:
        repository = service.undelete_repository(work, actor=current_actor(), kind=address.kind.name, path=address.path)
    return _answer(repository.id)


@blp.at("/transfer", method="POST")
@blp.arguments(schemas.TransferBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def transfer_repository(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Give the repository to another user or organisation; the old path leads to it from then on."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.transfer_repository(
            work, actor=current_actor(), repository_id=repository.id, namespace=body["new_namespace"]
        )
    return _answer(repository.id)


@blp.at("/fork", method="POST")
@blp.arguments(schemas.ForkBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def fork_repository(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Copy a repository with its branches, tags and LFS objects. The fork of a private one is private."""
    fork = service.fork_repository(current_context(), actor=current_actor(), source_id=address.get().id, **body)
    return _answer(fork.id)


@blp.at("/archive", method="POST")
@blp.response(200, enveloped(schemas.RepositorySchema))
def archive_repository(address: Address) -> dict[str, Any]:
    """Let nobody write to the repository any more; it stays readable."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.archive_repository(work, actor=current_actor(), repository_id=repository.id)
    return _answer(repository.id)


@blp.at("/archive", method="DELETE")
@blp.response(200, enveloped(schemas.RepositorySchema))
def unarchive_repository(address: Address) -> dict[str, Any]:
    """Let the repository be written again."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.unarchive_repository(work, actor=current_actor(), repository_id=repository.id)
    return _answer(repository.id)


# Collaborators.


def _collaborator_view(grant: Grant) -> dict[str, Any]:
    return {
        "username": grant.user.name,
        "nickname": grant.user.nickname or grant.user.name,
        "role": grant.role.value,
        "created_at": grant.created_at,
    }


@blp.at("/collaborators")
@blp.arguments(schemas.PageQuery, location="query")
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
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.PushSchema, many=True))
def list_pushes(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The changes of branches and tags, newest first."""
    with reading(current_context()) as work:
        repository = address.load(work)
        page = pushes.list_pushes(work, actor=current_actor(), repository_id=repository.id, page=page_args())
    return ok([push_view(push, name) for push, name in page.items], total=page.total)


@blp.at("/jobs")
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.JobSchema, many=True))
def list_repository_jobs(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Background work on this repository, newest first, for those who administer it."""
    with reading(current_context()) as work:
        repository = address.load(work)
        require(work, current_actor(), Action.REPOSITORY_ADMIN, repository)
        jobs = list_jobs(work, subject=(Repository.resource_type, repository.id), page=page_args())
    return ok([job_view(job) for job in jobs.items], total=jobs.total)
