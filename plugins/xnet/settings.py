"""The plugin's settings."""

from __future__ import annotations

from dataclasses import dataclass

from hub.plugin import setting

_DAY_S = 24 * 3600
_MIB = 1024 * 1024


@dataclass(frozen=True)
class XnetSettings:
    """How chunks are kept and told of."""

    # Clients resume uploads from what they remember for three weeks (Xet contract, section 8.4).
    keep_unused_s: int = setting(
        28 * _DAY_S, "how long chunks that no file uses stay after the last mention", unit="seconds"
    )
    # All of a commit's chunks come before its first file: the largest open models have most of a tebibyte.
    max_unused_bytes: int = setting(
        1024 * 1024 * _MIB, "chunks that one account may send without using them in files; 0: no limit", unit="bytes"
    )
    dedup_expiry_s: int = setting(3 * _DAY_S, "how long clients may use an answer on known chunks", unit="seconds")
    dedup: bool = setting(True, "whether clients are told which chunks the hub already has")
    convert: bool = setting(True, "whether contents that came whole are cut into chunks in the background")
    min_convert_bytes: int = setting(_MIB, "smallest content that is cut into chunks in the background", unit="bytes")
    keep_plain_copies: bool = setting(
        True, "whether contents that came whole stay so beside their chunks: twice the room, and full speed for all"
    )

    def __post_init__(self) -> None:
        if self.keep_unused_s < _DAY_S:
            raise ValueError("keep_unused_s must be a day at least")
        if self.max_unused_bytes < 0:
            raise ValueError("max_unused_bytes must not be negative")
        if self.dedup_expiry_s < 1:
            raise ValueError("dedup_expiry_s must be positive")
        if self.min_convert_bytes < 1:
            raise ValueError("min_convert_bytes must be positive")
