"""REST of the signs by which readers answer comments; not of the contract."""

from __future__ import annotations

from typing import Any

from hub.api import community_schemas as schemas
from hub.api.community import THREAD, load_thread
from hub.api.community_views import reactions_view
from hub.api.envelope import ok
from hub.api.ids import ROW_ID
from hub.community.service import reactions as service
from hub.db.uow import unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("reactions", __name__, url_prefix=PREFIX, description="Reactions")

_REACTION = f"{THREAD}/comments/<{ROW_ID}:comment_id>/reactions/<sign>"


def _react(address: Address, number: int, comment_id: int, sign: str, *, is_given: bool) -> dict[str, Any]:
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, number)
        found = service.react(
            work,
            actor=current_actor(),
            discussion_id=discussion.id,
            comment_id=comment_id,
            sign=sign,
            is_given=is_given,
        )
        return ok(reactions_view(found))


@blp.at(_REACTION, method="POST")
@blp.response(200, schemas.ReactionsEnvelope)
def react(address: Address, thread_number: int, comment_id: int, sign: str) -> dict[str, Any]:
    """Give a comment a sign: +1, -1, laugh, hooray, confused, heart, rocket or eyes. May be repeated."""
    return _react(address, thread_number, comment_id, sign, is_given=True)


@blp.at(_REACTION, method="DELETE")
@blp.response(200, schemas.ReactionsEnvelope)
def take_back(address: Address, thread_number: int, comment_id: int, sign: str) -> dict[str, Any]:
    """Take a sign back. May be repeated."""
    return _react(address, thread_number, comment_id, sign, is_given=False)
