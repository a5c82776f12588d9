"""What scans found in a repository's files."""

from __future__ import annotations

from flask import Blueprint, Response, request

from hub.assets.models_security import ScanState
from hub.assets.security.reports import find_security
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import RepositoryKind
from hub.repos.service import get_readable
from hub.web.repository import open_page_in, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("security_pages", __name__)

_PER = 50
_MAX_PAGE = 1_000_000


@blueprint.get(f"{REPOSITORY}/security")
def show_security(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The files of a revision with what was found in them, the findings unfolded."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab="security")
        repository = get_readable(work, actor=actor, kind=kind.name, path=repo.path)
    word = request.args.get("page", "1")
    args = PageArgs(min(int(word), _MAX_PAGE) if word.isascii() and word.isdigit() and int(word) else 1, _PER)
    asked = request.args.get("state", "")
    state = ScanState(asked) if asked in set(ScanState) else None
    found = find_security(
        *(context, repository),
        actor=actor,
        revision=request.args.get("ref", "")[:255],
        state=state,
        page=args,
    )
    return render_repository_page(
        "security/page.html",
        repo,
        page="R6",
        state="ready" if found.files else "empty",
        found=found,
        args=args,
        asked=state,
        states=list(ScanState),
    )
