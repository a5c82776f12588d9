"""The seam: pages for people."""

from __future__ import annotations

import sys
from pathlib import Path

from flask import Blueprint

from hub.http.actor import csrf_token, current_actor
from hub.http.context import current_context
from hub.http.errors import speak
from hub.http.paging import page_args
from hub.plugin.open_views import keep_open
from hub.web.account_settings import render_settings
from hub.web.console import render_in_console, require_console
from hub.web.errors import render_html_error
from hub.web.i18n import gettext
from hub.web.organizations import head_of_organization, open_organization
from hub.web.pages import render_page, wants_part
from hub.web.signed_in import require_viewer
from hub.web.snippets import Snippet, Way

__all__ = [
    "Snippet",
    "Way",
    "create_pages",
    "csrf_token",
    "current_actor",
    "current_context",
    "gettext",
    "head_of_organization",
    "keep_open",
    "open_organization",
    "page_args",
    "render_in_console",
    "render_page",
    "render_settings",
    "require_console",
    "require_viewer",
    "wants_part",
]


def create_pages(name: str, import_name: str, *, url_prefix: str) -> Blueprint:
    """A blueprint of pages with the package's folders ``templates`` and ``static``, whose errors are pages, too.

    name: ``PLUGIN_web...``. Templates lie in ``templates/PLUGIN/`` and are rendered by ``render_page``.
    """
    folder = Path(sys.modules[import_name].__file__ or "").parent
    blueprint = Blueprint(
        name,
        import_name,
        url_prefix=url_prefix,
        template_folder="templates",
        static_folder="static" if (folder / "static").is_dir() else None,
        static_url_path="/-/static",
    )
    speak(blueprint, render_html_error)
    return blueprint
