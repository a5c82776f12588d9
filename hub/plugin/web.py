"""The seam: pages for people."""

from __future__ import annotations

import sys
from pathlib import Path

from flask import Blueprint

from hub.http.actor import csrf_token, current_actor
from hub.http.context import current_context
from hub.http.errors import speak
from hub.plugin.open_views import keep_open
from hub.web.errors import render_html_error
from hub.web.pages import render_page

__all__ = ["create_pages", "csrf_token", "current_actor", "current_context", "keep_open", "render_page"]


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
