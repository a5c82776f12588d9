"""The first page of a repository: its card, and what is known of it."""

from __future__ import annotations

from flask import Blueprint, Response

from hub.repos.kinds import RepositoryKind
from hub.web.repository import open_page, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("card", __name__)


@blueprint.get(REPOSITORY)
def show_card(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The card."""
    repo = open_page(kind, namespace, name, tab="card")
    return render_repository_page("repository/card.html", repo, page="R1")
