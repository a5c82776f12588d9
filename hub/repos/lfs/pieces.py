"""Contents moved in pieces: by which ids clients fetch them, and their leave to move them.

Both are empty-handed where no source runs that moves pieces. Source: Xet contract, sections 2 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.db.uow import reading
from hub.repos.gates import require_content
from hub.repos.lfs.holding import action_to_send, holds_contents
from hub.repos.lfs.sources import Ticket, TicketRequest, find_transfer
from hub.repos.lookup import get_for

_ID = re.compile(r"[0-9a-f]{64}\Z")


def ids_of_pieces(context: Context, *, repository_id: int, oids: Iterable[str]) -> dict[str, str]:
    """By oid, the id under which a client fetches a content in pieces; only of what the repository holds.

    Two queries at most, none where no source runs. What is not held is left out: whoever could make a repository
    name it would learn that the hub has it.
    """
    transfer, wanted = find_transfer(context), [*oids]
    if transfer is None or not wanted:
        return {}
    with reading(context) as work:
        held = holds_contents(work, repository_id, wanted)
        found = transfer.transfer_ids(work, sorted(held)) if held else {}
    # Clients do not keep a listing with anything else in it.
    return {oid: piece_id for oid, piece_id in found.items() if oid in held and _ID.match(piece_id)}


def issue_ticket(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    revision: str,
    is_write: bool,
    for_proposal: bool = False,
    base_url: str,
) -> Ticket:
    """Leave for the actor to fetch a repository's contents in pieces, or to bring some (``is_write``).

    for_proposal: the right to propose changes is enough to bring them. base_url: the hub as the client reached it.
    Raises NotFound (``repository_not_found``; ``xet_unsupported``: no source runs), NotSignedIn, Denied.
    """
    action = action_to_send(for_proposal=for_proposal) if is_write else Action.REPOSITORY_READ
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        # Leave to write implies leave to read, and one who proposes need not have been given the content.
        require_content(work, actor, repository)
    transfer = find_transfer(context)
    if transfer is None:
        raise NotFound(
            "This hub has no Xet storage; set HF_HUB_DISABLE_XET=1 (or CSGHUB_DISABLE_XNET=true for the CSGHub SDK).",
            code="xet_unsupported",
        )
    return transfer.issue_ticket(context, TicketRequest(actor, repository, revision, is_write, base_url))
