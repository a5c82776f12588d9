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

    keep_calls_days: int = setting(
        90, "how long single calls are kept; their sums stay. 0: for ever; else at least 35", unit="days"
    )
    site_requests_per_minute: int = setting(0, "how many calls the whole gateway takes in a minute; 0: no limit")
    site_tokens_per_minute: int = setting(0, "how many tokens all calls may use in a minute; 0: no limit")

    # Source: compute contract, 3.2 and 15.8.
    sleep_after_s: int = setting(300, "how long a deployment with no replica at least stays awake", unit="seconds")
    wake_timeout_s: int = setting(120, "how long a call waits for a deployment that is on its way", unit="seconds")
    max_queued_calls: int = setting(100, "how many calls wait for one deployment, in each process")

    def __post_init__(self) -> None:
        if min(self.max_body_bytes, self.max_answer_bytes, self.max_attempts, self.default_max_tokens) < 1:
            raise ValueError("sizes, attempts and tokens must be positive")
        if min(self.connect_timeout_s, self.stream_timeout_s, self.answer_timeout_s, self.pause_timeout_s) <= 0:
            raise ValueError("times must be positive")
        if not 0 < self.wake_timeout_s <= 120 or min(self.sleep_after_s, self.max_queued_calls) < 1:
            raise ValueError("calls wait for 1 to 120 s, and deployments stay awake for a while")
        if self.keep_calls_days and self.keep_calls_days < 35:
            raise ValueError("calls must be kept for 35 days at least: budgets of a month are counted from them")
        if min(self.keep_calls_days, self.site_requests_per_minute, self.site_tokens_per_minute) < 0:
            raise ValueError("limits must not be negative")
