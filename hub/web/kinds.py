"""What pages call the kinds of asset."""

from __future__ import annotations

from hub.repos.kinds import RepositoryKind
from hub.web.i18n import gettext


def plural_title(kind: RepositoryKind) -> str:
    """Many of a kind ("Models"); of a kind that a plugin brings, its own title."""
    known: dict[str, str] = {
        "model": gettext("Models"),
        "dataset": gettext("Datasets"),
        "code": gettext("Codes"),
        "space": gettext("Spaces"),
        "prompt": gettext("Prompts"),
        "skill": gettext("Skills"),
        "mcpserver": gettext("MCP servers"),
    }
    return known.get(kind.name) or str(gettext(kind.title))
