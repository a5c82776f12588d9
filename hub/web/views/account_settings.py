"""One's own settings, a page for each section."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, url_for

from hub.base.errors import NotFound
from hub.db.uow import reading
from hub.http.context import current_context
from hub.web.account_settings import SECTIONS, find_values, render_settings
from hub.web.signed_in import require_viewer

blueprint = Blueprint("account_settings", __name__)


@blueprint.get("/settings")
def show_settings() -> Response:
    """The first section."""
    require_viewer()
    return redirect(url_for("account_settings.show_section", section="profile"), 303)  # type: ignore[return-value]


@blueprint.get("/settings/<section>")
def show_section(section: str) -> Response:
    """One section."""
    if section not in SECTIONS:
        raise NotFound("There is no such section of the settings.")
    actor = require_viewer()
    with reading(current_context()) as work:
        values = find_values(work, actor, section)
    return render_settings(f"people/settings/{section}.html", section=section, **values)
