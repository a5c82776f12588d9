"""Driver groups: every "works with many X" is one, and one more X is one more entry point of any distribution."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from stevedore import DriverManager
from stevedore.exception import MultipleMatches, NoMatches

from hub.base.context import Key
from hub.base.registry import Registry
from hub.base.settings import SettingsError

T = TypeVar("T")


@dataclass(frozen=True)
class DriverGroup(Generic[T]):
    """One group of interchangeable drivers.

    name: of the entry points ("hub.storage"). base: the class that every driver derives. title: for people.
    """

    name: str
    base: type[T]
    title: str


@dataclass(frozen=True)
class InstalledDriver:
    """A driver that is there to be chosen, whether or not it can be loaded. target: ``"package.module:Class"``."""

    name: str
    target: str
    distribution: str


DRIVER_GROUPS: Key[Registry[DriverGroup[Any]]] = Key("base.driver_groups")


def create_driver_groups() -> Registry[DriverGroup[Any]]:
    """An empty registry; the rooms and plugins that own a group add it."""
    return Registry("driver groups")


def list_drivers(group: str) -> list[InstalledDriver]:
    """The installed drivers of a group by name. Nothing of them is imported."""
    found = [
        InstalledDriver(point.name, point.value, point.dist.name if point.dist else "")
        for point in entry_points(group=group)
    ]
    return sorted(found, key=lambda driver: (driver.name, driver.distribution))


def load_driver(group: DriverGroup[T], name: str) -> type[T]:
    """The driver class that a setting names. Only this one is imported.

    Raises SettingsError when there is none of that name, it cannot be imported, or it is no driver of the group.
    """
    try:
        manager: Any = DriverManager(group.name, name, on_load_failure_callback=_raise)
    except NoMatches:
        names = ", ".join(driver.name for driver in list_drivers(group.name)) or "none"
        raise SettingsError(f"there is no {group.title} {name!r}; installed are: {names}") from None
    except MultipleMatches:
        rivals = ", ".join(driver.distribution for driver in list_drivers(group.name) if driver.name == name)
        raise SettingsError(
            f"several distributions bring a {group.title} {name!r}: {rivals}; uninstall all but one"
        ) from None
    except (Exception, SystemExit) as error:
        raise SettingsError(f"the {group.title} {name!r} cannot be loaded: {error}") from error
    driver = manager.driver
    if not (isinstance(driver, type) and issubclass(driver, group.base)):
        raise SettingsError(f"the {group.title} {name!r} does not derive {group.base.__name__}")
    return driver


def _raise(_manager: Any, _entry_point: Any, error: BaseException) -> None:
    raise error
