"""The administrators' console: its sections, who may open them, and the frame that they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, url_for
from flask_babel import LazyString, lazy_gettext

from hub.accounts.policy import Actor, require_site_admin
from hub.db.uow import UnitOfWork
from hub.web.pages import render_page
from hub.web.signed_in import require_viewer

PER_PAGE = 20


@dataclass(frozen=True)
class ConsoleSection:
    """One entry of the console's navigation. endpoint: of its page."""

    name: str
    title: LazyString
    icon: str
    endpoint: str


# In groups, as the navigation shows them.
GROUPS: tuple[tuple[LazyString, tuple[ConsoleSection, ...]], ...] = (
    (
        lazy_gettext("Overview"),
        (
            ConsoleSection("dashboard", lazy_gettext("Dashboard"), "layout-grid", "admin_pages.show_dashboard"),
            ConsoleSection("jobs", lazy_gettext("Jobs and queues"), "list-todo", "admin_work.show_jobs"),
            ConsoleSection("storage", lazy_gettext("Storage"), "hard-drive", "admin_pages.show_storage"),
            ConsoleSection("security", lazy_gettext("Security"), "shield-alert", "admin_content.show_security"),
        ),
    ),
    (
        lazy_gettext("Compute"),
        (
            ConsoleSection("workloads", lazy_gettext("Workloads"), "play", "admin_compute.show_workloads"),
            ConsoleSection("resources", lazy_gettext("Resources"), "server", "admin_compute.show_resources"),
        ),
    ),
    (
        lazy_gettext("People"),
        (
            ConsoleSection("users", lazy_gettext("Users"), "users", "admin_people.show_users"),
            ConsoleSection(
                "organizations", lazy_gettext("Organisations"), "briefcase", "admin_people.show_organizations"
            ),
            ConsoleSection(
                "verifications", lazy_gettext("Verifications"), "shield-check", "admin_people.show_verifications"
            ),
        ),
    ),
    (
        lazy_gettext("Content"),
        (
            ConsoleSection("repositories", lazy_gettext("Repositories"), "box", "admin_content.show_repositories"),
            ConsoleSection("tags", lazy_gettext("Labels"), "tags", "admin_content.show_labels"),
            ConsoleSection("broadcasts", lazy_gettext("Broadcasts"), "message-square", "admin_content.show_broadcasts"),
            ConsoleSection("mail", lazy_gettext("E-mail"), "mail", "admin_content.show_mail"),
        ),
    ),
    (
        lazy_gettext("System"),
        (
            ConsoleSection("settings", lazy_gettext("Settings"), "settings", "plugin_pages.show_settings"),
            ConsoleSection("license", lazy_gettext("Licence"), "key-round", "admin_work.show_license"),
            ConsoleSection("plugins", lazy_gettext("Plugins"), "plug", "plugin_pages.show_plugins"),
            ConsoleSection("system", lazy_gettext("System"), "cpu", "admin_pages.show_system"),
        ),
    ),
)


def require_console(work: UnitOfWork) -> Actor:
    """The administrator who looks. A browser of nobody is sent to sign in. Raises NotSignedIn, Denied."""
    actor = require_viewer()
    require_site_admin(work, actor)
    return actor


def render_console(section: str, template: str, *, state: str = "ready", **values: Any) -> Response:
    """A page of the console. template: below ``admin/``."""
    return render_in_console(f"admin/{template}", section=section, state=state, **values)


def render_in_console(template: str, *, section: str, state: str = "ready", **values: Any) -> Response:
    """A page in the console's frame: the template extends ``admin/base.html``. section: its name, for tests."""
    groups = [(title, [(one, url_for(one.endpoint)) for one in sections]) for title, sections in GROUPS]
    own = {one.endpoint for _, sections in GROUPS for one in sections}
    return render_page(
        template, page=f"A-{section}", state=state, section=section, groups=groups, own_pages=own, **values
    )


def choice(value: str) -> bool | None:
    """What a filter of a list asks for: "1" and "0" for yes and no, and None, which is all, for anything else."""
    return {"1": True, "0": False}.get(value)
