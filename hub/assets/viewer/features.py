"""Columns in the words of the library ``datasets``: values, lists, class labels, images, audio, messages."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from hub.base.texts import is_storable

_MAX_FEATURES_BYTES = 1024 * 1024
_MAX_DEPTH = 20
_MAX_TYPE_CHARS = 10_000


def describe_columns(schema: Any) -> list[dict[str, Any]]:
    """Name, type as text and feature of each column of a schema of pyarrow's.

    What the library ``datasets`` wrote into the file itself counts.
    """
    said = _said(schema)
    return [
        {
            "name": field.name,
            "type": str(field.type)[:_MAX_TYPE_CHARS],
            "feature": said.get(field.name) or feature_of(field.name, field.type),
        }
        for field in schema
    ]


def _said(schema: Any) -> dict[str, Any]:
    """What the library ``datasets`` wrote into a file, of those columns of which it can be told to others."""
    text = (schema.metadata or {}).get(b"huggingface", b"")
    try:
        said = json.loads(text)["info"]["features"] if text and len(text) <= _MAX_FEATURES_BYTES else None
    except (ValueError, KeyError, TypeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return {}
    return {name: told for name, told in said.items() if isinstance(told, dict | list) and _is_plain(told)}


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether JSON and databases have words for it."""
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, dict):
        return all(is_storable(name) and _is_plain(each, depth + 1) for name, each in value.items())
    if isinstance(value, list):
        return all(_is_plain(each, depth + 1) for each in value)
    if isinstance(value, str):
        return is_storable(value)
    return not isinstance(value, float) or math.isfinite(value)


def feature_of(name: str, type: Any, depth: int = 0) -> dict[str, Any] | None:
    """A type as a feature; None for one that has no words there."""
    import pyarrow as pa

    if depth > _MAX_DEPTH:
        return None
    if pa.types.is_dictionary(type):
        return feature_of(name, type.value_type, depth + 1)
    if pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type):
        inner = feature_of(name, type.value_type, depth + 1)
        length = type.list_size if pa.types.is_fixed_size_list(type) else -1
        return None if inner is None else {"feature": inner, "length": length, "_type": "List"}
    if pa.types.is_struct(type):
        fields = {type.field(at).name: type.field(at).type for at in range(type.num_fields)}
        if is_media(fields):
            return {"_type": "Audio" if "audio" in name.lower() or "speech" in name.lower() else "Image"}
        features = {key: feature_of(key, each, depth + 1) for key, each in fields.items()}
        return None if None in features.values() else features
    dtype = dtype_of(type)
    return {"dtype": dtype, "_type": "Value"} if dtype is not None else None


def is_media(fields: dict[str, Any]) -> bool:
    """Whether a structure of these fields is a file: its bytes and its path."""
    import pyarrow as pa

    return set(fields) == {"bytes", "path"} and pa.types.is_binary(fields["bytes"])


def media_of(columns: list[dict[str, Any]]) -> dict[int, str]:
    """Which columns, by their place, hold pictures ("image") or sounds ("audio")."""
    kinds = {"Image": "image", "Audio": "audio"}
    found = {}
    for at, column in enumerate(columns):
        # A structure may have a member of that name.
        told = column["feature"].get("_type") if isinstance(column["feature"], dict) else None
        if isinstance(told, str) and told in kinds and column["type"].startswith("struct<"):
            found[at] = kinds[told]
    return found


_PLAIN = re.compile(
    r"(bool|u?int(8|16|32|64)|float(16|32|64)|large_string|string|binary|large_binary|null|date(32|64)"
    r"|timestamp\[(s|ms|us|ns)(, tz=[\w/+:-]+)?\]|time(32|64)\[\w+\]|duration\[\w+\])\Z"
)
_CALLED = {
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "date32[day]": "date32",
    "date64[ms]": "date64",
}


def features_of(schema: Any) -> dict[str, Any] | None:
    """A table's columns as the library ``datasets`` spells them; None where one is of a type that needs its own words.

    What that library wrote itself into a Parquet file counts.
    """
    if schema is None:
        return None
    said = _said(schema)
    if said and set(said) == set(schema.names):
        return said
    features = {}
    for name, type in zip(schema.names, schema.types, strict=True):
        dtype = dtype_of(type)
        if dtype is None:
            return None
        features[name] = {"dtype": dtype, "_type": "Value"}
    return features


def dtype_of(type: Any) -> str | None:
    """A plain type as the library ``datasets`` calls it; None for any other."""
    dtype = _CALLED.get(str(type), str(type))
    return dtype if _PLAIN.match(dtype) else None
