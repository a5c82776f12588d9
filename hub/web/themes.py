"""Where themes lie: ``themes/NAME`` beside the package ``hub``, each with templates and static files."""

from __future__ import annotations

from pathlib import Path

import hub
from hub.base.settings import SettingsError

DEFAULT_THEME = "default"


def themes_path() -> Path:
    """The directory of the themes."""
    return Path(hub.__file__).resolve().parent.parent / "themes"


def theme_folders(theme: str) -> list[Path]:
    """The folders that a theme's files are looked for in: its own, then the default theme's.

    Raises SettingsError when there is no such theme.
    """
    names = list(dict.fromkeys([theme or DEFAULT_THEME, DEFAULT_THEME]))
    folders = [themes_path() / name for name in names]
    for name, folder in zip(names, folders, strict=True):
        if "/" in name or name.startswith(".") or not folder.is_dir():
            known = ", ".join(sorted(path.name for path in themes_path().glob("*") if path.is_dir()))
            raise SettingsError(f"setting theme: there is no theme {name!r}; there are: {known}")
    return folders
