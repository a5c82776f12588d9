"""What pages show of rooms and plugins: navigation items and panels. Nothing here needs Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.accounts.policy import Actor
from hub.base.context import Context, Key
from hub.base.registry import Registry


class Audience(StrEnum):
    """Who sees something. It hides what would only be refused; what is allowed is the services' word."""

    EVERYONE = "everyone"
    SIGNED_IN = "signed_in"
    ADMINS = "admins"

    def includes(self, viewer: Actor) -> bool:
        """Whether the viewer belongs to it."""
        if self == Audience.EVERYONE:
            return True
        return viewer.is_admin if self == Audience.ADMINS else not viewer.is_anonymous


class Section(StrEnum):
    """Where in the navigation an item stands."""

    MAIN = "main"  # the bar at the top
    REPOSITORY = "repository"  # a repository's tabs; the endpoint takes kind, namespace and name
    USER = "user"  # the menu of who is signed in
    NEW = "new"  # what can be made anew
    ADMIN = "admin"  # for site administrators
    CONSOLE = "console"  # sections of the administrators' console, under the heading ``group``
    SETTINGS = "settings"  # sections of one's own settings
    ORGANIZATION = "organization"  # an organisation's pages for its administrators; the endpoint takes namespace


class Slot(StrEnum):
    """The places that panels stand in, each with what its panels are given beside the viewer."""

    HOME = "home"
    REPOSITORY = "repository"  # repository
    ACTIONS = "actions"  # repository: buttons in its head
    PROFILE = "profile"  # namespace
    ADMIN = "admin"


@dataclass(frozen=True)
class NavItem:
    """One entry of the navigation.

    label: in English; pages show it in the viewer's language where the catalogues have it. icon: of the theme's.
    endpoint: of the page, as ``url_for`` takes it; arguments: what its address needs beside that.
    weight: lighter items come first, equal ones by label. kinds: for repository tabs, the kinds of asset that have it;
    empty: all. group: for sections of the console, the heading that they stand under.
    """

    label: str
    endpoint: str
    section: Section = Section.MAIN
    weight: int = 100
    audience: Audience = Audience.EVERYONE
    kinds: tuple[str, ...] = ()
    icon: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class Panel:
    """A piece of a page. render: called with ``viewer`` and what the slot gives, all by keyword; returns safe HTML.

    One that raises is logged and left out: the page stands without it.
    """

    name: str
    slot: Slot
    render: str | Callable[..., str]
    weight: int = 100
    audience: Audience = Audience.EVERYONE


# Heavier items of the bar stand in its menu "More", where plugins' are as long as they say nothing else.
BAR_WEIGHT = 50

# The hub's own. A repository's tabs are its kind's.
OWN_ITEMS: tuple[NavItem, ...] = (
    NavItem("Organisation", "organization_pages.show_new", Section.NEW, 60, icon="briefcase"),
    NavItem("Issues", "mine.show_issues", Section.USER, 40, icon="circle-dot"),
    NavItem("Pull requests", "mine.show_pulls", Section.USER, 41, icon="git-pull-request"),
    NavItem("Settings", "account_settings.show_settings", Section.USER, 90, icon="settings"),
    NavItem("Admin console", "admin_pages.show_dashboard", Section.ADMIN, 10, Audience.ADMINS, icon="wrench"),
    *(
        NavItem(title, "lists.show_list", Section.MAIN, weight, icon=icon, arguments={"kind": path})
        for weight, title, path, icon in (
            (10, "Models", "models", "box"),
            (20, "Datasets", "datasets", "database"),
            (30, "Spaces", "spaces", "app-window"),
            (40, "Codes", "codes", "code"),
            (60, "Prompts", "prompts/library", "message-square-text"),
            (65, "Skills", "skills", "sparkles"),
            (70, "MCP servers", "mcp/servers", "plug"),
        )
    ),
    NavItem("MCP tools", "mcp_pages.show_tools", weight=75, icon="wrench"),
    NavItem("Collections", "collection_pages.show_collections", weight=80, icon="bookmark"),
    NavItem("Trending", "home.show_trending", weight=85, icon="trending-up"),
    NavItem("Collection", "collection_pages.new_collection", Section.NEW, 20, icon="bookmark"),
    *(
        NavItem(title, "writing.new_repository", Section.NEW, weight, icon=icon, arguments={"kind": path})
        for weight, (title, path, icon) in enumerate(
            (
                ("Model", "models", "box"),
                ("Dataset", "datasets", "database"),
                ("Space", "spaces", "app-window"),
                ("Code", "codes", "code"),
                ("Prompt library", "prompts/library", "message-square-text"),
                ("Skill", "skills", "sparkles"),
                ("MCP server", "mcp/servers", "plug"),
            )
        )
    ),
)

NAVIGATION: Key[Registry[NavItem]] = Key("web.navigation")
PANELS: Key[Registry[Panel]] = Key("web.panels")


def install(context: Context) -> None:
    """Provide the registries with the hub's own items; done once, by ``build_context``."""
    context.provide(NAVIGATION, Registry[NavItem]("navigation"))
    context.provide(PANELS, Registry[Panel]("panels"))
    for item in OWN_ITEMS:
        add_nav_item(context, item)


def add_nav_item(context: Context, item: NavItem, *, owner: str = "hub") -> None:
    """Add an item. Raises RegistryError when its section has another of that label."""
    context[NAVIGATION].add(f"{item.section.value}/{item.label}", item, owner=owner)


def add_panel(context: Context, panel: Panel, *, owner: str = "hub") -> None:
    """Add a panel. Raises RegistryError when its name is taken."""
    context[PANELS].add(panel.name, panel, owner=owner)


def list_nav_items(context: Context, section: Section, *, viewer: Actor, kind: str = "") -> list[NavItem]:
    """The items of a section that the viewer may see, in order. kind: of the repository whose tabs are asked for."""
    found = [
        item
        for item in context[NAVIGATION].values()
        if item.section == section and item.audience.includes(viewer) and (not item.kinds or kind in item.kinds)
    ]
    return sorted(found, key=lambda item: (item.weight, item.label))


def list_panels(context: Context, slot: Slot, *, viewer: Actor) -> list[Panel]:
    """The panels of a slot that the viewer may see, in order."""
    found = [panel for panel in context[PANELS].values() if panel.slot == slot and panel.audience.includes(viewer)]
    return sorted(found, key=lambda panel: (panel.weight, panel.name))
