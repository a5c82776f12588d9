"""Leave for Xet's clients to fetch and to bring contents in pieces, and where a file's answer tells them of it.

Source: Xet contract, sections 2 and 12; Hugging Face contract, section 4.1.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.base.context import Context
from hub.compat import views, xet_schemas
from hub.compat.addresses import CompatBlueprint, Place, client_url, revision_only
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.origin import hub_url
from hub.repos import contents
from hub.repos.kinds import RepositoryKind
from hub.repos.lfs.pieces import ids_of_pieces, issue_ticket
from hub.repos.lfs.sources import Ticket
from hub.repos.proposals import number_of
from hub.repos.rows import Shown

blp = CompatBlueprint("xet", __name__, description="Leave to move contents in pieces, for Xet's clients")


@blp.at_file("/xet-read-token/<path:revision>")
@blp.response(200, xet_schemas.HubXetTokenSchema)
def show_read_token(place: Place, revision: str) -> Response:
    """Leave to fetch the repository's contents in pieces; 404 where the hub has no Xet storage."""
    context, repository = current_context(), place.look()
    asked = revision_only(repository)
    ticket = issue_ticket(
        context,
        actor=current_actor(),
        repository_id=repository.id,
        revision=asked,
        is_write=False,
        base_url=hub_url(),
    )
    contents.resolve(context, repository, asked)
    return _send(ticket)


@blp.at_file("/xet-write-token/<path:revision>")
@blp.arguments(xet_schemas.HubXetWriteQuery, location="query")
@blp.response(200, xet_schemas.HubXetTokenSchema)
def show_write_token(query: dict[str, Any], place: Place, revision: str) -> Response:
    """Leave to bring contents in pieces; 404 where the hub has no Xet storage. The revision need not be there yet.

    For a pull request (create_pr, or one's ref as the revision) the right to open one is enough.
    """
    repository = place.look()
    asked = revision_only(repository)
    ticket = issue_ticket(
        current_context(),
        actor=current_actor(),
        repository_id=repository.id,
        revision=asked,
        is_write=True,
        for_proposal=query["create_pr"] or number_of(asked) is not None,
        base_url=hub_url(),
    )
    return _send(ticket)


def _send(ticket: Ticket) -> Response:
    """Some clients read the body, others the headers."""
    expires_at_s = int(ticket.expires_at_s)
    headers = {
        "X-Xet-Cas-Url": ticket.url,
        "X-Xet-Token-Expiration": str(expires_at_s),
        "X-Xet-Access-Token": ticket.token,
        "Cache-Control": "no-store",
    }
    return views.send_json({"casUrl": ticket.url, "exp": expires_at_s, "accessToken": ticket.token}, headers)


def fetch_headers(
    context: Context, repository: Shown, kind: RepositoryKind, *, oid: str, commit_id: str
) -> dict[str, str]:
    """What a file's answer says when its content can be fetched in pieces: under which id, and by whose leave."""
    piece_id = ids_of_pieces(context, repository_id=repository.id, oids=[oid]).get(oid)
    if piece_id is None:
        return {}
    collection = kind.api_collection or kind.collection
    # Absolute: clients fetch it as it stands.
    url = client_url(f"api/{collection}/{repository.path}/xet-read-token/{commit_id}")
    return {"X-Xet-Hash": piece_id, "X-Xet-Refresh-Route": url, "Link": f'<{url}>; rel="xet-auth"'}
