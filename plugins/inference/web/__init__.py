"""The pages: keys and budgets, calls, models of the gateway, the playground, deployments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.plugin import Audience, NavItem, Section

if TYPE_CHECKING:
    from flask import Blueprint

# Prefixes of the pages' addresses.
PREFIXES = ("/settings/api-keys", "/organizations/<namespace>/api-keys")

# For the catalogues of translations; pages say it in the viewer's language.
mark_text = str


def list_blueprints() -> Iterable[Blueprint]:
    """All pages of the plugin."""
    from plugins.inference.web import keys

    return (keys.blueprint,)


def list_nav_items() -> Iterable[NavItem]:
    """Where they stand in the navigation."""
    return (
        NavItem("API keys", "inference_web_keys.show_own", Section.SETTINGS, 10, Audience.SIGNED_IN, icon="key-round"),
        NavItem(
            "API keys",
            "inference_web_keys.show_organization",
            Section.ORGANIZATION,
            10,
            Audience.SIGNED_IN,
            icon="key-round",
        ),
    )
