"""Which plugins are installed: read from the distributions' entry points, without importing anything of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from hub.db.revisions import Branch

GROUP = "hub.plugins"
_UNKNOWN = "an unknown distribution"


@dataclass(frozen=True)
class Installed:
    """An entry point of the group ``hub.plugins``. target: ``"package.plugin:Class"``.

    rivals: other distributions that have brought an entry point of the same name, which makes the plugin broken.
    """

    name: str
    target: str
    distribution: str
    version: str
    rivals: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The package that holds the plugin's modules and folders: that of its manifest, or the manifest itself."""
        module = self.target.partition(":")[0]
        return module.rpartition(".")[0] or module

    def find_branch(self) -> Branch | None:
        """The plugin's history of migrations; None when its package has no folder ``migrations``."""
        folder = self._find_folder()
        path = folder / "migrations" if folder else None
        return Branch.of_plugin(self.name, path) if path is not None and path.is_dir() else None

    def _find_folder(self) -> Path | None:
        # Only the packages above the plugin's own are imported, which is none for a distribution of its own. They may
        # raise anything; it is told when the manifest is loaded.
        try:
            spec = importlib.util.find_spec(self.package)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
        places = list(spec.submodule_search_locations or ()) if spec else []
        return Path(places[0]) if places else None


def _name_distribution(point: EntryPoint) -> tuple[str, str]:
    """The name and version of what has brought an entry point, even when its metadata are damaged."""
    try:
        return (point.dist.name or _UNKNOWN, point.dist.version or "") if point.dist else (_UNKNOWN, "")
    except (KeyError, TypeError, OSError, ValueError):
        return _UNKNOWN, ""


def find_installed() -> Mapping[str, Installed]:
    """The installed plugins by name, in the order of their names."""
    found: dict[str, Installed] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        distribution, version = _name_distribution(point)
        first = found.get(point.name)
        if first is None:
            found[point.name] = Installed(point.name, point.value, distribution, version)
        elif first.target != point.value:
            rivals = (*first.rivals, distribution)
            found[point.name] = Installed(point.name, first.target, first.distribution, first.version, rivals)
    return found
