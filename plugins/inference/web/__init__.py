"""The pages: keys and budgets, calls, models of the gateway, the playground, deployments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.plugin import Audience, NavItem, Section

if TYPE_CHECKING:
    from flask import Blueprint

# Prefixes of the pages' addresses.
PREFIXES = ("/settings/api-keys", "/organizations/<namespace>/api-keys", "/playground", "/admin_panel/gateway")

# For the catalogues of translations; pages say it in the viewer's language.
mark_text = str


def list_blueprints() -> Iterable[Blueprint]:
    """All pages of the plugin."""
    from plugins.inference.web import keys, models, playground

    return (keys.blueprint, models.blueprint, playground.blueprint)


def list_nav_items() -> Iterable[NavItem]:
    """Where they stand in the navigation."""
    return (
        NavItem("Playground", "inference_web_playground.show_playground", weight=45, icon="message-square"),
        NavItem("API keys", "inference_web_keys.show_own", Section.SETTINGS, 10, Audience.SIGNED_IN, icon="key-round"),
        NavItem(
            "API keys",
            "inference_web_keys.show_organization",
            Section.ORGANIZATION,
            10,
            Audience.SIGNED_IN,
            icon="key-round",
        ),
        NavItem(
            "Gateway models",
            "inference_web_models.show_models",
            Section.CONSOLE,
            10,
            Audience.ADMINS,
            icon="network",
            group=mark_text("Inference"),
        ),
    )
