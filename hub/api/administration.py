"""REST for site administrators: repositories; and which hub this is. Contract: CSGHub, sections 4.1, 4.2 and 4.7."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub import __version__
from hub.accounts.policy import require_site_admin
from hub.api import admin_schemas
from hub.api import repository_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.repositories import answer
from hub.assets.service import weights_of
from hub.base.errors import NotFound
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos import service
from hub.repos.downloads import add_download, set_day_downloads
from hub.repos.kinds import KINDS, RepositoryKind, find_kind
from hub.repos.service.administration import RepositoryFilter
from hub.repos.service.administration import list_all_repositories as list_repositories_for_admins

blp = RepositoryBlueprint("administration", __name__, url_prefix=PREFIX, description="For site administrators")


@blp.get("/admin/repos")
@blp.arguments(schemas.PathsQuery, location="query")
@blp.response(200, schemas.PathListSchema)
def list_paths(query: dict[str, Any]) -> dict[str, Any]:
    """The paths of repositories, of all kinds or one."""
    actor = current_actor()
    with reading(current_context()) as work:
        require_site_admin(work, actor)
        kind = _get_kind(query["type"]).name if query["type"] else None
        page = service.list_repositories(work, actor=actor, kind=kind, search=query["search"], page=page_args())
    return ok([repository.path for repository in page.items], total=page.total, is_estimate=page.is_estimate)


@blp.get("/admin/repositories")
@blp.arguments(admin_schemas.AdminRepositoriesQuery, location="query")
@blp.response(200, enveloped(admin_schemas.AdminRepositorySchema, many=True))
def list_all_repositories(query: dict[str, Any]) -> Response:
    """Repositories of all kinds, with what they take; also those that were deleted and can come back."""
    actor = current_actor()
    with reading(current_context()) as work:
        require_site_admin(work, actor)
        wanted = RepositoryFilter(
            query["search"],
            _get_kind(query["type"]).name if query["type"] else "",
            query["private"],
            query["archived"],
            query["deleted"],
        )
        page = list_repositories_for_admins(work, actor=actor, wanted=wanted, sort=query["sort"], page=page_args())
        weights = weights_of(work, [one.row.id for one in page.items])
    views = [
        {
            "repository_id": one.row.id,
            "type": one.row.kind,
            "path": one.row.path,
            "nickname": one.row.nickname,
            "private": one.row.is_private,
            "git_size": one.row.git_size_bytes,
            "lfs_size": one.row.lfs_size_bytes,
            "downloads": one.row.download_count,
            "op_weight": weights.get(one.row.id, 0),
            "updated_at": one.row.updated_at,
            "archived_at": one.row.archived_at,
            "deleted_at": one.deleted_at,
            "purged_at": one.purged_at,
        }
        for one in page.items
    ]
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))


@blp.post("/admin/<type>/<namespace>/<name>/change_path")
@blp.arguments(schemas.ChangePathBody)
@blp.response(200, enveloped(schemas.RepositorySchema))
def change_path(body: dict[str, Any], type: str, namespace: str, name: str) -> Response:
    """Move a repository to another path; the old one leads to it from then on. type: "model" or "models"."""
    address = Address(_get_kind(type), namespace, name)
    with unit_of_work(current_context()) as work:
        require_site_admin(work, current_actor())
        repository = address.load(work)
        service.change_path(work, actor=current_actor(), repository_id=repository.id, path=body["new_path"])
    return answer(repository.id)


def _get_kind(word: str) -> RepositoryKind:
    context = current_context()
    kind = context[KINDS].find(word) or find_kind(context, word)
    if kind is None:
        raise NotFound(f"This hub has no assets of kind {word[:40]!r}.", code="kind_not_found")
    return kind


@blp.at("/update_downloads", method="POST")
@blp.arguments(schemas.DayDownloadsBody)
@blp.response(200, enveloped())
def update_downloads(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Tell how many downloads of a day somebody else has counted; telling it again replaces the number."""
    with unit_of_work(current_context()) as work:
        require_site_admin(work, current_actor())
        set_day_downloads(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            day=body["date"],
            count=body["download_count"],
        )
    return ok()


@blp.at("/incr_downloads", method="PUT")
@blp.response(200, enveloped())
def increase_downloads(address: Address) -> dict[str, Any]:
    """Count one more download."""
    with unit_of_work(current_context()) as work:
        require_site_admin(work, current_actor())
        add_download(work, actor=current_actor(), repository_id=address.load(work).id)
    return ok()


@blp.get("/version")
@blp.response(200, enveloped(schemas.VersionSchema))
def show_version() -> dict[str, Any]:
    """Which release of the hub this is."""
    return ok({"version": __version__, "commit": ""})
