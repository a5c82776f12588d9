"""The plugin's settings."""

from __future__ import annotations

from dataclasses import dataclass

from hub.plugin import setting

_MIB = 1024 * 1024


@dataclass(frozen=True)
class InferenceSettings:
    """What the gateway takes and how long it waits. Source of the numbers: gateway contract, sections 1.3 and 1.4."""

    owned_by: str = setting("hub", "whose the gateway's own models are said to be")
    currency: str = setting("USD", "in which models have prices and keys have budgets")
    max_body_bytes: int = setting(10 * _MIB, "largest request in JSON", unit="bytes")
    max_answer_bytes: int = setting(64 * _MIB, "largest answer that does not stream", unit="bytes")
    connect_timeout_s: int = setting(5, "how long to wait for a connection to a provider", unit="seconds")
    stream_timeout_s: int = setting(120, "how long to wait for a stream to begin", unit="seconds")
    answer_timeout_s: int = setting(600, "how long to wait for an answer that does not stream", unit="seconds")
    pause_timeout_s: int = setting(60, "how long a stream may pause", unit="seconds")
    max_attempts: int = setting(3, "how many upstreams one request is sent to at most")
    # The model's own limit is known to few providers' lists; what is held for a call is given back at its end.
    default_max_tokens: int = setting(4096, "how many tokens of an answer are held where nobody says", unit="tokens")

    def __post_init__(self) -> None:
        if min(self.max_body_bytes, self.max_answer_bytes, self.max_attempts, self.default_max_tokens) < 1:
            raise ValueError("sizes, attempts and tokens must be positive")
        if min(self.connect_timeout_s, self.stream_timeout_s, self.answer_timeout_s, self.pause_timeout_s) <= 0:
            raise ValueError("times must be positive")
