"""The seam: drivers, in groups of the hub's or of a plugin's own."""

from __future__ import annotations

from hub.base.drivers import DriverGroup, InstalledDriver, list_drivers, load_driver
from hub.base.settings import Settings, SettingsError
from hub.objects.file import FileStore
from hub.objects.store import ObjectInfo, ObjectStore

__all__ = [
    "DriverGroup",
    "FileStore",
    "InstalledDriver",
    "ObjectInfo",
    "ObjectStore",
    "Settings",
    "SettingsError",
    "list_drivers",
    "load_driver",
]
