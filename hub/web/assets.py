"""What browsers load: the files that ``deploy/assets.py`` built from a theme, under names that change with them."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import cast

from markupsafe import Markup

from hub.base.log import get_logger
from hub.web.themes import theme_folders

log = get_logger(__name__)

STATIC = "/-/static"
BUILT = "built"


@cache
def _manifest(folder: Path) -> dict[str, str]:
    path = folder / "static" / BUILT / "manifest.json"
    try:
        return cast(dict[str, str], json.loads(path.read_text()))
    except FileNotFoundError:
        # Pages are readable without; `make install` builds them.
        log.warning("assets_not_built", theme=folder.name)
        return {}


@cache
def asset_url(theme: str, name: str) -> str:
    """Where a built file is served: "site.js" of the theme, or else of the default theme."""
    for folder in theme_folders(theme):
        if built := _manifest(folder).get(name):
            return f"{STATIC}/{BUILT}/{built}"
    return f"{STATIC}/{name}"


@lru_cache(maxsize=2_000)
def icon(theme: str, name: str, *, label: str = "", classes: str = "") -> Markup:
    """An icon of ``assets/icons.txt``. label: what it says to those who do not see it; "": the text beside it does."""
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon {}" {}><use href="{}#{}"></use></svg>').format(
        classes, told, asset_url(theme, "icons.svg"), name
    )
