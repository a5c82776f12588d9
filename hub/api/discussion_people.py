"""REST of who is to see to an issue or pull request, and of being told of it; not of the contract."""

from __future__ import annotations

from typing import Any

from hub.api import community_schemas as schemas
from hub.api.community import THREAD, load_thread
from hub.api.community_views import telling_view
from hub.api.discussions import author_view
from hub.api.envelope import ok
from hub.community.service import people as service
from hub.db.uow import unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("discussion_people", __name__, url_prefix=PREFIX, description="People of discussions")


@blp.at(f"{THREAD}/assignees", method="POST")
@blp.arguments(schemas.AssigneesBody)
@blp.response(200, schemas.AssigneesEnvelope)
def assign(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Ask people who may read the repository to see to it, and tell them; all who do by then. For who may write."""
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        users = service.assign(work, actor=current_actor(), discussion_id=discussion.id, names=body["users"])
        return ok([author_view(user) for user in users])


@blp.at(f"{THREAD}/assignees/<username>", method="DELETE")
@blp.response(200, schemas.AssigneesEnvelope)
def unassign(address: Address, thread_number: int, username: str) -> dict[str, Any]:
    """Ask somebody no more; all who see to it by then. For who may write."""
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        users = service.unassign(work, actor=current_actor(), discussion_id=discussion.id, name=username)
        return ok([author_view(user) for user in users])


def _subscribe(address: Address, number: int, is_wanted: bool | None) -> dict[str, Any]:
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, number)
        telling = service.subscribe(work, actor=current_actor(), discussion_id=discussion.id, is_wanted=is_wanted)
        return ok(telling_view(telling))


@blp.at(f"{THREAD}/subscription", method="PUT")
@blp.arguments(schemas.SubscriptionBody)
@blp.response(200, schemas.TellingEnvelope)
def subscribe(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Say whether one wants to be told of what happens in it."""
    return _subscribe(address, thread_number, body["is_wanted"])


@blp.at(f"{THREAD}/subscription", method="DELETE")
@blp.response(200, schemas.TellingEnvelope)
def forget_subscription(address: Address, thread_number: int) -> dict[str, Any]:
    """Say nothing of that any more: one is told if one takes part."""
    return _subscribe(address, thread_number, None)
