"""Plugins for tests: real distributions on disk, whose entry points the host reads as it reads any others.

Their tables are plain ``Table``s on the metadata of ``Model``, without a mapped class: they go with the test.

bring(make_plugin("alpha", requires=("beta",), jobs=[JobSpec("alpha.tidy", tidy)]))
start_host(context, plugins="alpha")
"""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stevedore._cache
from flask.testing import FlaskClient
from stevedore import ExtensionManager

from hub.app import create_app
from hub.base.context import Context
from hub.base.settings import SectionValues
from hub.db import revisions
from hub.db.base import Model
from hub.licensing.service import LICENSING
from hub.plugin import host
from hub.plugin.host import PluginHost
from hub.plugin.manifest import Plugin

# Classes that modules on disk hand out as their own: the number is in the module's text.
_GIVEN: dict[int, Any] = {}
_NUMBERS = itertools.count(1)

_METHODS = {
    name
    for name, member in vars(Plugin).items()
    if callable(member) and not isinstance(member, type) and not name.startswith("_")
}

MIGRATION = '''"""Tables of a plugin for tests."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''


def make_plugin(name: str, /, doc: str = "", **members: Any) -> type[Plugin]:
    """A manifest. What a method of ``Plugin`` gives is written as its value: ``jobs=[JobSpec(...)]``."""
    given = {
        key: (lambda _self, value=value: value) if key in _METHODS else value
        for key, value in {"name": name, **members}.items()
    }
    return type(f"{name.title()}Plugin", (Plugin,), {"__doc__": doc or f"{name.title()} of the tests", **given})


def make_migration(
    revision: str, down: str | None = None, *, upgrade: str = "pass", downgrade: str = "pass"
) -> Mapping[str, str]:
    """A migration as ``bring`` takes it among its files."""
    text = MIGRATION.format(revision=revision, down=down, upgrade=upgrade, downgrade=downgrade)
    return {f"migrations/{revision}.py": text}


def given(number: int) -> Any:
    """What a test has handed to ``bring``; called by the module that ``bring`` has written."""
    return _GIVEN[number]


class Shelf:
    """The distributions that one test has installed, each in a directory of its own on ``sys.path``."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch
        self._packages: set[str] = set()
        self._tables = set(Model.metadata.tables)
        # stevedore keeps what it has read of entry points, here and on disk: tests share none of it.
        monkeypatch.setattr(stevedore._cache._c, "_dir", str(root / "cache"))
        monkeypatch.setattr(stevedore._cache._c, "_internal", {})
        monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})

    def __call__(
        self,
        plugin: type | object | str,
        *,
        name: str = "",
        source: str = "",
        files: Mapping[str, str] | None = None,
        distribution: str = "",
        version: str = "1.0",
        entry_points: Mapping[str, str] | None = None,
    ) -> Path:
        """Install a distribution with one plugin; returns the folder of its package, ``hub_test_NAME``.

        plugin: its class, or its name where ``source`` is the text of the module with the manifest, in which the
        class is called Manifest. files: further ones of the package. entry_points: further lines by group.
        """
        name = name or (plugin if isinstance(plugin, str) else getattr(plugin, "name", ""))
        distribution = distribution or f"hub-test-{name}"
        place = self.root / f"place{next(_NUMBERS)}"
        package = place / re.sub(r"\W", "_", f"hub_test_{name}")
        package.mkdir(parents=True)
        if not isinstance(plugin, str):
            number = next(_NUMBERS)
            _GIVEN[number] = plugin
            source = f"from tests.support.plugins import given\n\nManifest = given({number})\n"
        for path, text in {"__init__.py": "", "plugin.py": source, **(files or {})}.items():
            (package / path).parent.mkdir(parents=True, exist_ok=True)
            (package / path).write_text(text)
        groups = {"hub.plugins": f"{name} = {package.name}.plugin:Manifest", **(entry_points or {})}
        self._write_metadata(place, distribution, version, groups)
        self._packages.add(package.name)
        self._add_to_path(place)
        return package

    def add_distribution(self, name: str, groups: Mapping[str, str], files: Mapping[str, str]) -> None:
        """Install a distribution of modules and entry points without a plugin: of drivers, say."""
        place = self.root / f"place{next(_NUMBERS)}"
        place.mkdir(parents=True)
        for path, text in files.items():
            (place / path).write_text(text)
            self._packages.add(path.removesuffix(".py"))
        self._write_metadata(place, name, "1.0", groups)
        self._add_to_path(place)

    def _add_to_path(self, place: Path) -> None:
        self._monkeypatch.syspath_prepend(str(place))
        begin_anew()

    @staticmethod
    def _write_metadata(place: Path, distribution: str, version: str, groups: Mapping[str, str]) -> None:
        folder = place / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        text = "\n".join(f"[{group}]\n{lines}\n" for group, lines in groups.items())
        (folder / "entry_points.txt").write_text(text)

    def remove(self, package: Path) -> None:
        """Uninstall the distribution that has brought a package."""
        sys.path.remove(str(package.parent))
        self._forget(package.name)
        begin_anew()

    def clear(self) -> None:
        """Forget all that was imported: modules, classes, tables."""
        for package in self._packages:
            self._forget(package)
        # A module of the hub's that a test was the first to import has mapped its tables: those stay.
        mapped = {mapper.local_table for mapper in Model.registry.mappers}
        for name in set(Model.metadata.tables) - self._tables:
            if Model.metadata.tables[name] not in mapped:
                Model.metadata.remove(Model.metadata.tables[name])
        _GIVEN.clear()
        begin_anew()

    @staticmethod
    def _forget(package: str) -> None:
        for module in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[module]


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """``bring(make_plugin("alpha"))`` installs a plugin for the length of the test."""
    shelf = Shelf(tmp_path / "shelf", monkeypatch)
    yield shelf
    shelf.clear()


def begin_anew() -> None:
    """Forget what a process reads once and keeps: what a new one would read afresh."""
    importlib.invalidate_caches()
    stevedore._cache._c._internal.clear()
    ExtensionManager.ENTRY_POINT_CACHE.clear()
    revisions.read_revisions.cache_clear()


def start_host(context: Context, values: SectionValues | None = None, **settings: Any) -> PluginHost:
    """The plugins of a process, as ``hub web`` starts them, with these settings beside the test's own."""
    context.settings = replace(context.settings, **settings)
    return host.install(context, values)


def add_to_edition(context: Context, edition: str, *plugins: str) -> None:
    """Let an edition name further plugins, as if its file did."""
    licensing = context[LICENSING]
    old = licensing.editions[edition]
    licensing.editions = {**licensing.editions, edition: replace(old, plugins=(*old.plugins, *plugins))}


def open_client(context: Context, *, testing: bool = True) -> FlaskClient:
    """Flask's test client on the application of a started host. testing: errors nobody expects reach the test."""
    app = create_app(context)
    app.testing = testing
    return app.test_client()


def contributions(context: Context, owner: str) -> dict[str, list[str]]:
    """The names that an owner has in each registry, and the event classes that it listens to."""
    found = {
        registry.title: [entry.name for entry in registry.entries() if entry.owner == owner]
        for registry in context.registries()
    }
    found["events"] = [
        event.__name__
        for event, listeners in context.events._listeners.items()
        for other, _ in listeners
        if other == owner
    ]
    return {title: names for title, names in found.items() if names}
