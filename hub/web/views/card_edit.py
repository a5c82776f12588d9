"""The form over the metadata at the head of a card."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from flask_babel import gettext

from hub.assets.service.cardedit import offered_keys
from hub.assets.service.cards import CARD_PATH
from hub.assets.service.cardtext import CardText, read_card_text
from hub.assets.service.catalogue import list_labels
from hub.base.errors import NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.cardkeys import CardKey, CardType
from hub.repos.contents import read_text
from hub.repos.kinds import RepositoryKind
from hub.web.repository import open_page, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("card_edit", __name__)

# Of each category, what is offered while somebody types.
MAX_OFFERED = 300


@blueprint.get(f"{REPOSITORY}/card/edit")
def edit_card(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The form; for everybody who is signed in, as who may not write proposes."""
    context, actor = current_context(), current_actor()
    repo = open_page(kind, namespace, name, tab="card")
    if actor.is_anonymous:
        raise NotSignedIn(gettext("Sign in to edit the metadata."))
    card = read_card_text(context, repo.shown, actor=actor)
    content = ""
    if card.path:
        content = read_text(context, repo.shown, actor=actor, path=card.path, revision=card.commit_id)
    return render_repository_page(
        "card/edit.html",
        repo,
        page="R1e",
        content=content,
        path=card.path or CARD_PATH,
        sha=card.oid,
        card=card,
        fields=[_field_of(key, card) for key in offered_keys(kind.card)],
        offers=_offers(kind),
    )


def _field_of(key: CardKey, card: CardText) -> dict[str, Any]:
    value = card.metadata.get(key.name)
    is_list = isinstance(value, list)
    words = [str(word) for word in value] if isinstance(value, list) else [] if value is None else [str(value)]
    return {
        "name": key.name,
        "value": ", ".join(words),
        "is_words": key.type is CardType.WORDS,
        "is_list": is_list,
        "choices": key.choices,
        "category": key.category,
        "hint": key.description,
        "is_known": not isinstance(value, dict),
    }


def _offers(kind: RepositoryKind) -> dict[str, list[str]]:
    """The labels that the hub knows, by category: what people most likely mean."""
    categories = sorted({key.category for key in offered_keys(kind.card) if key.category and key.category != "other"})
    found: dict[str, list[str]] = {category: [] for category in categories}
    with reading(current_context()) as work:
        for category in categories:
            page = PageArgs(per=MAX_OFFERED)
            labels = list_labels(
                work, actor=current_actor(), scopes=[kind.name], categories=[category], is_builtin=True, page=page
            )
            found[category] = [label.name for label in labels.items]
    return found
