"""Whether the hub is well, for everybody: a line for each thing that it stands on, and nothing that is secret."""

from __future__ import annotations

from flask import Blueprint, Response

from hub.base.health import CheckStatus
from hub.http.health import look_at_readiness
from hub.web.pages import render_page

blueprint = Blueprint("status", __name__)


@blueprint.get("/-/status")
def show_status() -> Response:
    """Up or down, by component."""
    checks = look_at_readiness()
    worst = max((list(CheckStatus).index(check.status) for check in checks), default=0)
    return render_page("hub/status.html", page="X3", checks=checks, worst=list(CheckStatus)[worst])
