"""REST of what is read from a repository's files after each push. Ours: the contract leaves it to us."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.api import indexing_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.schemas import JobSchema
from hub.api.views import job_view
from hub.assets import indexing
from hub.db.uow import unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("indexing", __name__, url_prefix=PREFIX, description="What is read from files after a push")


@blp.at("/index")
@blp.response(200, enveloped(schemas.IndexSchema))
def show_index(address: Address) -> Response:
    """How far the default branch is indexed, step by step."""
    status = indexing.find_status(current_context(), address.get(), actor=current_actor())
    steps = [
        {
            "name": step.name,
            "title": step.title,
            "state": step.state,
            "commit": step.commit_id,
            "error": step.error,
            "finished_at": step.finished_at,
        }
        for step in status.steps
    ]
    return send_json(ok({"commit": status.commit_id, "state": status.state, "steps": steps}))


@blp.at("/index", method="POST")
@blp.response(202, enveloped(JobSchema))
def request_indexing(address: Address) -> dict[str, Any]:
    """Have the default branch indexed anew, also what is done."""
    with unit_of_work(current_context()) as work:
        job = indexing.request_indexing(work, actor=current_actor(), repository=address.load(work))
        return ok(job_view(job))
