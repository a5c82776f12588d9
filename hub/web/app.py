"""The pages as a part of the application: templates, translations, and one blueprint a group of pages."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from hub.base.context import Context
from hub.http.errors import speak_elsewhere, speak_in, word_with
from hub.web import i18n, pages
from hub.web.errors import render_html_error
from hub.web.routing import OwnerConverter, apart_pages_converter, pages_converter
from hub.web.said import said

# Each has a ``blueprint``. What stands before is asked first where two addresses fit alike.
MODULES = (
    "hub.web.site",
    "hub.web.views.home",
    "hub.web.views.collections",
    "hub.web.views.search",
    "hub.web.views.lists",
    "hub.web.views.setup",
    "hub.web.views.sign_in",
    "hub.web.views.second_factor",
    "hub.web.views.status",
    "hub.web.views.admin",
    "hub.web.views.admin_people",
    "hub.web.views.admin_content",
    "hub.web.views.admin_work",
    "hub.web.views.admin_compute",
    "hub.web.views.account_settings",
    "hub.web.views.inbox",
    "hub.web.views.organizations",
    "hub.web.views.people",
    "hub.web.views.pictures",
    "hub.web.views.writing",
    "hub.web.views.viewer",
    "hub.web.views.lineage",
    "hub.web.views.prompt_pages",
    "hub.web.views.mcp_pages",
    "hub.web.views.security",
    "hub.web.views.card",
    "hub.web.views.card_edit",
    "hub.web.views.repository_settings",
    "hub.web.views.blob",
    "hub.web.views.files",
    "hub.web.views.history",
    "hub.web.views.refs",
    "hub.web.views.markdown",
    "hub.web.views.community",
    "hub.web.views.threads",
    "hub.web.views.pulls",
    "hub.web.views.mine",
)


def install(app: Flask, context: Context) -> None:
    """Mount the pages; done once, by ``create_app``."""
    app.url_map.converters["owner"] = OwnerConverter
    app.url_map.converters["pages"] = pages_converter(context)
    app.url_map.converters["apart_pages"] = apart_pages_converter(context)
    i18n.install(app)
    app.jinja_env.filters["said"] = said
    word_with(app, said)
    pages.install(app, context)
    for name in MODULES:
        blueprint = import_module(name).blueprint
        speak_in(app, blueprint.name, render_html_error)
        app.register_blueprint(blueprint)
    speak_elsewhere(app, render_html_error)
