"""REST of cards: what a README.md says at its head, and what is wrong with it. Ours: the contract leaves it to us."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from flask import Response

from hub.api import indexing_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.schemas import RefQuery
from hub.api.scopes import scope_of_word
from hub.api.views import API
from hub.assets.service.cardcheck import Severity
from hub.assets.service.cardedit import change_head
from hub.assets.service.cardindex import check_text, read_report
from hub.assets.service.facts import plain_json
from hub.base.offload import offload
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("cards", __name__, url_prefix=PREFIX, description="What cards say at their heads")


@blp.at("/card")
@blp.arguments(RefQuery, location="query")
@blp.response(200, enveloped(schemas.CardSchema))
def show_card(query: dict[str, Any], address: Address) -> Response:
    """What the card at a revision says at its head, what is wrong with it, and where its text is."""
    context, repository = current_context(), address.get()
    report = asdict(read_report(context, repository, actor=current_actor(), revision=query["ref"]))
    collection = address.kind.api_collection or address.kind.collection
    path, commit = report["path"], report.pop("commit_id")
    url = (
        f"{context.settings.effective_base_url}{API}/{collection}/{repository.path}/resolve/{quote(path)}?ref={commit}"
    )
    body = {
        "line": report.pop("body_line"),
        "offset": report.pop("body_offset"),
        "size": report.pop("size_bytes"),
        "url": url if path else "",
    }
    return send_json(ok({"commit": commit, **report, "body": body}))


@blp.post("/validate-card")
@blp.arguments(schemas.NewCardBody)
@blp.response(200, enveloped(schemas.CheckedCardSchema))
def check_card(body: dict[str, Any]) -> Response:
    """What is wrong with the head of a card that is being written. Nothing is kept, and no credential is needed.

    With ``changes``, of the card with these members set: what else its head says stays as it is written.
    """
    content = body["content"]
    if body["changes"]:
        content = offload(change_head, content, body["changes"])
    card = check_text(current_context(), kind=scope_of_word(body["type"]), text=content)
    problems = [problem.view() for problem in card.problems]
    is_valid = all(problem.severity is not Severity.ERROR for problem in card.problems)
    view = {"valid": is_valid, "metadata": plain_json(card.metadata) or {}, "problems": problems}
    view["body"] = {"line": card.body_line, "offset": card.body_offset}
    return send_json(ok(view | ({"content": content} if body["changes"] else {})))
