"""The engines that are installed, as objects for one hub."""

from __future__ import annotations

import os
from functools import cache

from hub.plugin import Context, get_logger
from hub.plugin.drivers import SettingsError, list_drivers, load_driver
from hub.plugin.errors import NotFound
from hub.plugin.settings import settings_of
from plugins.inference.engines.engine import ENGINES, Declaration, InferenceEngine, Site
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)


def site_of(context: Context) -> Site:
    """What engines may know of this hub."""
    settings = settings_of(context, InferenceSettings)
    return Site(
        home=context.settings.home / "engines",
        registry=settings.engine_registry,
        programs=settings.named_programs,
        trusts_remote_code=settings.trust_remote_code,
        cpus=len(os.sched_getaffinity(0)),
    )


@cache
def _load(name: str) -> type[InferenceEngine]:
    return load_driver(ENGINES, name)


@cache
def engine_names() -> tuple[str, ...]:
    """The names of those that are installed."""
    return tuple(dict.fromkeys(driver.name for driver in list_drivers(ENGINES.name)))


@cache
def list_declarations() -> tuple[Declaration, ...]:
    """What those that can be loaded say of themselves, by name."""
    found = []
    for name in engine_names():
        try:
            found.append(_load(name).declare())
        except SettingsError as error:
            log.warning("engine_broken", engine=name, reason=str(error))
    return tuple(found)


def get_engine(context: Context, name: str) -> InferenceEngine:
    """The engine of that name. Raises NotFound (``engine_not_found``): there is none, or it cannot be loaded."""
    if name not in engine_names():
        raise NotFound(f"There is no engine {name[:64]!r}.", code="engine_not_found")
    try:
        return _load(name)(site_of(context))
    except SettingsError as error:
        log.warning("engine_broken", engine=name, reason=str(error))
        raise NotFound(f"The engine {name!r} cannot be loaded.", code="engine_not_found") from None


def list_engines(context: Context) -> list[InferenceEngine]:
    """All that can be loaded, by name."""
    site = site_of(context)
    return [_load(declared.name)(site) for declared in list_declarations()]
