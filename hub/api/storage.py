"""REST of what a repository takes, of its checks, and of its export as a bundle."""

from __future__ import annotations

from typing import Any, cast

from flask import Response, redirect

from hub.api import storage_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.schemas import JobSchema
from hub.api.views import job_view
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.ranges import Content, disposition, send_content
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos import quotas, reports
from hub.repos.exports import open_export
from hub.repos.lfs.housekeeping import remove_held
from hub.repos.lfs.uses import list_files
from hub.repos.models import Repository

blp = RepositoryBlueprint("storage", __name__, url_prefix=PREFIX, description="Storage, checks and export")


def _sizes(work: UnitOfWork, repository: Repository) -> dict[str, Any]:
    return {
        "git_size_bytes": repository.git_size_bytes,
        "lfs_size_bytes": repository.lfs_size_bytes,
        "used_bytes": quotas.used_bytes(work, repository.namespace_id),
        "quota_bytes": quotas.quota_bytes(work, repository.namespace_id),
    }


def _report(work: UnitOfWork, name: str, repository: Repository) -> dict[str, Any]:
    found = reports.find_report(work, name, actor=current_actor(), repository_id=repository.id)
    data = None if found.data is None else {key: value for key, value in found.data.items() if key != "key"}
    return {"data": data, "made_at": found.made_at, "job": job_view(found.job) if found.job else None}


def _ask(name: str, address: Address, **args: Any) -> dict[str, Any]:
    with unit_of_work(current_context()) as work:
        repository_id = address.load(work).id
        return ok(job_view(reports.ask(work, name, actor=current_actor(), repository_id=repository_id, args=args)))


@blp.at("/storage")
@blp.response(200, enveloped(schemas.StorageSchema))
def show_storage(address: Address) -> dict[str, Any]:
    """What the repository takes, and what was found when its large files were last looked at."""
    with reading(current_context()) as work:
        repository = address.load(work)
        looks = {"survey": reports.SURVEY, "collect": reports.COLLECT}
        found = {member: _report(work, name, repository) for member, name in looks.items()}
        return ok(_sizes(work, repository) | found)


@blp.at("/storage/files")
@blp.arguments(schemas.LargeFilesQuery, location="query")
@blp.response(200, enveloped(schemas.LargeFileSchema, many=True))
def list_large_files(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The contents that the repository holds in LFS, and what its commits say of each, as of the last look."""
    with reading(current_context()) as work:
        found = list_files(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            unnamed=query["unnamed"],
            sort=query["sort"],
            page=page_args(),
        )
    views = [
        {
            "oid": one.oid,
            "size_bytes": one.size_bytes,
            "held_at": one.held_at,
            "path": one.path,
            "refs": one.refs,
            "used_at": one.used_at,
        }
        for one in found.items
    ]
    return ok(views, total=found.total)


@blp.at("/storage/files", method="DELETE")
@blp.arguments(schemas.RemoveFilesBody)
@blp.response(200, enveloped(schemas.RemovedFilesSchema))
def remove_large_files(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Let the repository no longer hold these contents; the sizes in the answer say so already."""
    context, repository = current_context(), address.get()
    removed = remove_held(
        context,
        actor=current_actor(),
        repository_id=repository.id,
        oids=body["oids"],
        rewrites_history=body["rewrite_history"],
    )
    with reading(context) as work:
        return ok({"removed": removed} | _sizes(work, work.session.get_one(Repository, repository.id)))


@blp.at("/storage/survey", method="POST")
@blp.response(202, enveloped(JobSchema))
def request_survey(address: Address) -> dict[str, Any]:
    """Have it looked up which large files the commits name."""
    return _ask(reports.SURVEY, address)


@blp.at("/storage/collect", method="POST")
@blp.response(202, enveloped(JobSchema))
def request_collect(address: Address) -> dict[str, Any]:
    """Have the large files let go that no commit names and that are older than a day, and the repository packed."""
    return _ask(reports.COLLECT, address)


@blp.at("/check")
@blp.response(200, enveloped(schemas.ReportSchema))
def show_check(address: Address) -> dict[str, Any]:
    """What the last check of the repository found."""
    with reading(current_context()) as work:
        return ok(_report(work, reports.CHECK, address.load(work)))


@blp.at("/check", method="POST")
@blp.arguments(schemas.CheckBody)
@blp.response(202, enveloped(JobSchema))
def request_check(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Have the repository checked by git fsck and its large files looked for; its sizes are counted anew, too."""
    return _ask(reports.CHECK, address, with_content=body["with_content"])


@blp.at("/export")
@blp.response(200, enveloped(schemas.ReportSchema))
def show_export(address: Address) -> dict[str, Any]:
    """The last bundle that was made, and how far the next is."""
    with reading(current_context()) as work:
        return ok(_report(work, reports.EXPORT, address.load(work)))


@blp.at("/export", method="POST")
@blp.response(202, enveloped(JobSchema))
def request_export(address: Address) -> dict[str, Any]:
    """Have all branches and tags made into one file that git clones from."""
    return _ask(reports.EXPORT, address)


@blp.at("/export/bundle")
@blp.response(200, content_type="application/octet-stream", description="the bundle")
def download_export(address: Address) -> Response:
    """The bundle that was made last, or the way to it in the object store. Large files are in it as their pointers."""
    context = current_context()
    found = open_export(context, address.get(), actor=current_actor())
    url = found.direct_url(expires_s=context.settings.lfs_url_ttl_s)
    if url is not None:
        return cast(Response, redirect(url, 302))
    content = Content(found.size_bytes, found.etag, found.open_range, found.local_path, found.made_at)
    return send_content(content, headers={"Content-Disposition": disposition(found.filename)})
