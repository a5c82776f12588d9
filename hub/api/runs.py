"""REST of runs: what was done with repositories at pinned commits. For programs that train, measure or convert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.accounts.policy import Actor
from hub.api import run_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.assets.models_lineage import Run, RunState
from hub.assets.runtypes import RUN_TYPES
from hub.assets.service import runs as service
from hub.assets.service.runs import Link, SeenLink
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.kinds import find_kind
from hub.repos.models import Repository
from hub.repos.service import get_readable

blp = RepositoryBlueprint("runs", __name__, url_prefix=PREFIX, description="What was done with repositories")

_RUN = "/runs/<uuid:uuid>"


@blp.get("/runs")
@blp.arguments(schemas.RunsQuery, location="query")
@blp.response(200, schemas.RunsEnvelope)
def list_runs(query: dict[str, Any]) -> dict[str, Any]:
    """The runs that the caller may see, newest first."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        repository = None
        if query["repository"]:
            collection, _, path = query["repository"].partition("/")
            kind = find_kind(context, collection)
            if kind is None:
                raise Invalid("'repository' is '<models>/<namespace>/<name>'.", code="REQ-ERR-6", query="repository")
            repository = get_readable(work, actor=actor, kind=kind.name, path=path)
        elif query["commit"]:
            raise Invalid("'commit' needs its 'repository'.", code="REQ-ERR-6", query="commit")
        return _list(work, actor, query, repository)


@blp.at("/runs")
@blp.arguments(schemas.RepositoryRunsQuery, location="query")
@blp.response(200, schemas.RunsEnvelope)
def list_repository_runs(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The runs that took or gave a repository, newest first, as far as the caller may see them."""
    with reading(current_context()) as work:
        return _list(work, current_actor(), query, address.load(work))


@blp.get("/runs/types")
@blp.response(200, schemas.RunTypesEnvelope)
def list_run_types() -> dict[str, Any]:
    """The kinds of run that this hub knows, those of its plugins among them."""
    types = [{"name": type.name, "title": type.title} for type in current_context()[RUN_TYPES].values()]
    return ok(types, total=len(types))


@blp.post("/runs")
@blp.arguments(schemas.NewRunBody)
@blp.response(200, schemas.RunEnvelope)
def create_run(body: dict[str, Any]) -> dict[str, Any]:
    """Record a run, in one's own namespace or one in which one may make things. It is queued at first."""
    actor = current_actor()
    uuid = service.create_run(
        current_context(),
        actor=actor,
        inputs=_links_in(body.pop("inputs")),
        outputs=_links_in(body.pop("outputs")),
        is_private=body.pop("private"),
        # The hub's own token is the platform's.
        is_trusted=actor.is_service,
        **body,
    )
    return _answer(uuid)


@blp.get(_RUN)
@blp.response(200, schemas.RunEnvelope)
def show_run(uuid: Any) -> dict[str, Any]:
    """One run, with what it took and gave as far as the caller may see that."""
    return _answer(str(uuid))


@blp.patch(_RUN)
@blp.arguments(schemas.RunBody)
@blp.response(200, schemas.RunEnvelope)
def update_run(body: dict[str, Any], uuid: Any) -> dict[str, Any]:
    """Say how a run goes on. With its success the relations that follow from it are there, too."""
    outputs = _links_in(body.pop("outputs"))
    state = RunState(body.pop("state")) if "state" in body else None
    actor = current_actor()
    service.update_run(
        current_context(),
        actor=actor,
        uuid=str(uuid),
        state=state,
        outputs=outputs,
        is_trusted=actor.is_service,
        **body,
    )
    return _answer(str(uuid))


@blp.delete(_RUN)
@blp.response(200, enveloped())
def delete_run(uuid: Any) -> dict[str, Any]:
    """Forget a run, and the relations that nothing but it says. For who made it, and who administers its namespace."""
    with unit_of_work(current_context()) as work:
        service.delete_run(work, actor=current_actor(), uuid=str(uuid))
    return ok()


def _answer(uuid: str) -> dict[str, Any]:
    actor = current_actor()
    with reading(current_context()) as work:
        return ok(_views(work, actor, [service.get_run(work, actor=actor, uuid=uuid)])[0])


def _list(work: UnitOfWork, actor: Actor, query: dict[str, Any], repository: Repository | None) -> dict[str, Any]:
    page = service.list_runs(
        work,
        actor=actor,
        page=page_args(),
        repository=repository,
        commit_id=query["commit"],
        namespace=query["namespace"],
        type=query["type"],
        state=RunState(query["state"]) if query["state"] else None,
        created_by=query["created_by"],
    )
    return ok(_views(work, actor, page.items), total=page.total, is_estimate=page.is_estimate)


def _links_in(bodies: Sequence[dict[str, Any]]) -> list[Link]:
    return [Link(file_path=body.pop("file"), **body) for body in bodies]


def _views(work: UnitOfWork, actor: Actor, runs: Sequence[Run]) -> list[dict[str, Any]]:
    links = service.links_of(work, actor=actor, runs=runs)
    return [run_view(run, links[run.id]) for run in runs]


def run_view(run: Run, links: Sequence[SeenLink]) -> dict[str, Any]:
    """A run as answers tell it."""
    return {
        "uuid": run.uuid,
        "type": run.type,
        "title": run.title,
        "namespace": run.namespace.path,
        "created_by": run.created_by.name if run.created_by else None,
        "private": run.is_private,
        "trusted": run.is_trusted,
        "state": run.state.value,
        "inputs": [_link_view(link) for link in links if not link.link.is_output],
        "outputs": [_link_view(link) for link in links if link.link.is_output],
        "parameters": run.parameters,
        "environment": run.environment,
        "metrics": run.metrics,
        "log_url": run.log_url,
        "error": run.error,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "updated_at": run.updated_at,
    }


def _link_view(seen: SeenLink) -> dict[str, Any]:
    link = seen.link
    kind, path = seen.target or ("", "")
    return {
        "role": link.role,
        "kind": kind,
        "path": path,
        "repository_id": link.repository_id if seen.target else None,
        "commit": link.commit_id,
        "file": link.path,
        "name": link.name,
    }
