"""Editions: named sets of plugins, features and limits, read from ``licenses/``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import hub
from hub.base.settings import SettingsError

EDITIONS = ("lite", "ce", "ee")
NO_LIMIT = -1


@dataclass(frozen=True)
class Edition:
    """What an edition carries.

    plugins: names of the bundled ones. features: what it has without a licence's word.
    limits: by name ("users", "clusters" ...), -1: no limit; so is a name that is absent.
    """

    name: str
    title: str
    plugins: tuple[str, ...]
    features: frozenset[str]
    limits: Mapping[str, int]


def licenses_path() -> Path:
    """The directory ``licenses/`` beside the package ``hub``."""
    return Path(hub.__file__).resolve().parent.parent / "licenses"


@cache
def load_editions(directory: Path | None = None) -> Mapping[str, Edition]:
    """All editions by name, from ``editions/*.toml`` in the directory (``licenses/`` by default).

    Raises SettingsError for a file that is missing, no TOML, or has a key, type or feature that nobody knows.
    """
    root = directory or licenses_path()
    known = load_features(directory)
    return MappingProxyType({name: _parse(name, root / "editions" / f"{name}.toml", known) for name in EDITIONS})


@cache
def load_features(directory: Path | None = None) -> Mapping[str, str]:
    """The features that a licence can carry: word -> one line of meaning. Raises SettingsError as ``load_editions``."""
    path = (directory or licenses_path()) / "features.toml"
    features = _read(path)
    if not all(isinstance(meaning, str) and meaning for meaning in features.values()):
        raise SettingsError(f"{path.name}: each feature needs its meaning as a text")
    return MappingProxyType(features)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise SettingsError(f"licenses/ lacks {path.name}; install the hub again") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name} is no valid TOML: {error}") from None


def _parse(name: str, path: Path, known_features: Mapping[str, str]) -> Edition:
    values = _read(path)
    if odd := set(values) ^ {"title", "plugins", "features", "limits"}:
        raise SettingsError(f"{path.name}: unknown or missing: {', '.join(sorted(odd))}")
    title, plugins, features, limits = (values[key] for key in ("title", "plugins", "features", "limits"))
    if not isinstance(title, str) or not _is_words(plugins) or not _is_words(features):
        raise SettingsError(f"{path.name}: 'title' is a text, 'plugins' and 'features' are lists of texts")
    if odd := set(features) - set(known_features):
        raise SettingsError(f"{path.name}: features.toml lacks {', '.join(sorted(odd))}")
    if not isinstance(limits, dict) or not all(type(limit) is int and limit >= NO_LIMIT for limit in limits.values()):
        raise SettingsError(f"{path.name}: each limit is a number, -1 for none; quote a name that has a dot")
    return Edition(name, title, tuple(plugins), frozenset(features), MappingProxyType(limits))


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)
