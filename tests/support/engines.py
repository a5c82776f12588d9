"""Engines that tests run for real, each in an environment of its own that is kept between runs.

``python -m tests.support.engines`` makes those that are missing; `make test` does so before the tests start.
"""

from __future__ import annotations

from pathlib import Path

from plugins.inference.engines.installing import PACKAGES, install_engine, list_installed, read_pins
from tests.support.assets import cache_path
from tests.support.tiny_models import tiny_models
from tests.support.venvs import has_venv, make_venv


def engine_python(name: str) -> Path:
    """The Python with that engine in it, as ``hub engine install`` makes it; of transformers, as its users have it."""
    if name == "transformers":
        return make_venv(name) / "bin" / "python"
    home, version = cache_path() / "engines", read_pins(name)[PACKAGES[name]]
    there = [each for each in list_installed(home, name) if each.version == version]
    return (there[0] if there else install_engine(home, name)).python


def has_transformers() -> bool:
    """Whether torch could be had here."""
    return has_venv("transformers")


def programs_setting(*names: str) -> str:
    """Of ``HUB_INFERENCE_ENGINE_PROGRAMS``: these engines are there."""
    return ",".join(f"{name}={engine_python(name)}" for name in names)


if __name__ == "__main__":
    engine_python("llama.cpp")
    if has_transformers():
        tiny_models()
