"""The declarations that come with the plugin: one file of JSON each. Source of its members: compute contract, 2.1."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from plugins.inference.engines.engine import ArgType, Declaration, EngineArg, EngineImage


@cache
def load_declaration(name: str) -> Declaration:
    """The declaration of an engine. What it does not say is as in the one that it extends."""
    return parse_declaration(_read(name))


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files(__package__) / "declarations" / f"{name}.json").read_text("utf-8"))
    base = found.pop("extends", "")
    return {**_read(base), **found} if base else found


def parse_declaration(data: dict[str, Any]) -> Declaration:
    """The declaration that JSON describes. Raises KeyError or ValueError for what is none."""
    return Declaration(
        name=data["engine_name"],
        title=data["title"],
        description=data.get("description", ""),
        model_format=tuple(data["model_format"]),
        tasks=tuple(data["tasks"]),
        container_port=data.get("container_port", 8000),
        images=tuple(_image(image) for image in data["engine_images"]),
        args=tuple(_argument(argument) for argument in data["engine_args"]),
        supported_archs=tuple(data["supported_archs"]),
        supported_models=tuple(data["supported_models"]),
        tool_call_parsers=data["tool_call_parsers"],
        live_path=data["health"]["live"],
        ready_path=data["health"]["ready"],
        metrics_path=data["metrics"],
        key_variable=data["key_variable"],
        owned_flags=tuple(data["owned_flags"]),
        min_version=data["min_version"],
        updated_at=data["updated_at"],
        is_enabled=bool(data["enabled"]),
    )


def _image(data: dict[str, Any]) -> EngineImage:
    lists = {name: tuple(data.get(name, ())) for name in ("extra_archs", "extra_models")}
    return EngineImage(**{**data, **lists})


def _argument(data: dict[str, Any]) -> EngineArg:
    return EngineArg(
        name=data["name"],
        value=data["value"],
        format=data["format"],
        type=ArgType(data["type"]),
        choices=tuple(data.get("choices", ())),
        help=data["help"],
        is_local=data.get("local", False),
    )
