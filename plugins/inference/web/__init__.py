"""The pages: keys and budgets, calls, models of the gateway, the playground, deployments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.plugin import Audience, NavItem, Panel, Section, Slot

if TYPE_CHECKING:
    from flask import Blueprint

# Prefixes of the pages' addresses.
PREFIXES = (
    "/settings/api-keys",
    "/settings/usage",
    "/organizations/<namespace>/api-keys",
    "/organizations/<namespace>/usage",
    "/playground",
    "/endpoints",
    "/admin_panel/gateway",
)

# For the catalogues of translations; pages say it in the viewer's language.
mark_text = str


def list_blueprints() -> Iterable[Blueprint]:
    """All pages of the plugin."""
    from plugins.inference.web import endpoints, keys, models, playground, usage

    return tuple(module.blueprint for module in (endpoints, keys, models, playground, usage))


def list_nav_items() -> Iterable[NavItem]:
    """Where they stand in the navigation."""
    keys, usage, models = mark_text("API keys"), mark_text("Usage of models"), mark_text("Gateway models")
    page = "inference_web_{}.{}".format
    signed_in, admins, group = Audience.SIGNED_IN, Audience.ADMINS, mark_text("Inference")
    return (
        NavItem("Playground", page("playground", "show_playground"), weight=45, icon="message-square"),
        NavItem("Endpoints", page("endpoints", "show_endpoints"), Section.USER, 50, signed_in, icon="zap"),
        NavItem("Endpoint", page("endpoints", "new_endpoint"), Section.NEW, 70, signed_in, icon="zap"),
        NavItem(
            mark_text("Serverless models"),
            page("endpoints", "show_endpoints"),
            Section.CONSOLE,
            15,
            admins,
            icon="zap",
            arguments={"type": "serverless"},
            group=group,
        ),
        NavItem(keys, page("keys", "show_own"), Section.SETTINGS, 10, signed_in, icon="key-round"),
        NavItem(usage, page("usage", "show_own"), Section.SETTINGS, 20, signed_in, icon="trending-up"),
        NavItem(keys, page("keys", "show_organization"), Section.ORGANIZATION, 10, signed_in, icon="key-round"),
        NavItem(usage, page("usage", "show_organization"), Section.ORGANIZATION, 20, signed_in, icon="trending-up"),
        NavItem(models, page("models", "show_models"), Section.CONSOLE, 10, admins, icon="network", group=group),
        NavItem(keys, page("keys", "show_accounts"), Section.CONSOLE, 18, admins, icon="key-round", group=group),
        NavItem(usage, page("usage", "show_all"), Section.CONSOLE, 20, admins, icon="trending-up", group=group),
    )


def list_panels() -> Iterable[Panel]:
    """What they add to the hub's own pages."""
    render = "plugins.inference.web.endpoints:render_deploy_button"
    return (Panel("inference.deploy", Slot.ACTIONS, render),)
