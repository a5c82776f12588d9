"""Columns in the words of the library ``datasets``: values, lists, class labels, images, audio, messages."""

from __future__ import annotations

import json
import re
from typing import Any

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
    text = (schema.metadata or {}).get(b"huggingface", b"")
    try:
        said = json.loads(text)["info"]["features"] if text and len(text) <= _MAX_FEATURES_BYTES else None
    except (ValueError, KeyError, TypeError, RecursionError):
        said = None
    return (
        {name: told for name, told in said.items() if isinstance(told, dict | list)} if isinstance(said, dict) else {}
    )


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
    return {
        at: kinds[column["feature"]["_type"]]
        for at, column in enumerate(columns)
        if isinstance(column["feature"], dict)
        and column["feature"].get("_type") in kinds
        and column["type"].startswith("struct<")
    }


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
    try:
        text = (schema.metadata or {}).get(b"huggingface", b"{}")
        said = json.loads(text)["info"]["features"] if len(text) <= _MAX_FEATURES_BYTES else None
    except (ValueError, KeyError, TypeError, RecursionError):
        said = None
    if isinstance(said, dict) and set(said) == set(schema.names):
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
